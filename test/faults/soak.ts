/**
 * Producers, workers and their Redis under random faults, and a verdict on what they saw:
 * `npm run soak -- --seconds 60 --seed 1 --json soak.json`. The seed draws the faults and the jobs;
 * when things happen within the processes is the machine's.
 */
import { writeFileSync } from "node:fs";
import { constants } from "node:os";
import { type CommandLine, readCommandLine } from "./soak/options.ts";
import { figuresTable, violationsText } from "./soak/report.ts";
import { runSoak } from "./soak/run.ts";

const say = (line: string) => void process.stdout.write(`${line}\n`);

for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.once(name, () => process.exit(128 + constants.signals[name])); // with all that was started
}

async function main({
  seconds,
  seed,
  shards,
  jsonFile,
  keepsHistories,
}: CommandLine): Promise<void> {
  say(`Soak of ${seconds} s with --seed ${seed}`);
  const { figures, entries, serverDescription, folder } = await runSoak({
    seconds,
    seed,
    shards,
    keepsHistories,
    say,
  });
  say(figuresTable(figures));
  const { violations } = figures;
  if (violations.length > 0) {
    say(`\n${violations.length} violations:\n${violationsText(violations, entries)}`);
    process.exitCode = 1;
  } else {
    say("\nNo violation.");
  }
  if (folder !== undefined) say(`The seed was ${seed}; the histories are kept in ${folder}.`);
  if (jsonFile !== undefined) {
    const result = { seconds, seed, shards, server: serverDescription, ...figures };
    writeFileSync(jsonFile, `${JSON.stringify(result, undefined, 2)}\n`);
    say(`Written: ${jsonFile}`);
  }
}

try {
  await main(readCommandLine(process.argv.slice(2)));
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
