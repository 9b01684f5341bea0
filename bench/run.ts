/** Runs the scenarios, prints their figures and keeps them in a file. See README.md. */
import { ensureBuilt } from "./support/build.ts";
import { choosePeers } from "./support/chosen-peers.ts";
import { readOptions } from "./support/options.ts";
import { checkResultFile, defaultResultFile, writeResult } from "./support/result-files.ts";
import { runScenarios } from "./support/run-scenarios.ts";
import { choose, scenarios } from "./support/scenarios.ts";
import { summaryLine, timeLine } from "./support/table.ts";
import { unmeasured } from "./support/targets.ts";
import { withServer } from "./support/with-server.ts";

const print = (line: string) => void process.stdout.write(`${line}\n`);

async function main(): Promise<void> {
  const options = readOptions(process.argv.slice(2));
  if (options.listsOnly) {
    for (const { name, description } of scenarios) {
      print(`${name.padEnd(12)} ${description}`);
    }
    return;
  }
  const { isQuick, repeats, image } = options;
  const chosen = choose(options.scenarios, { isQuick, print });
  const date = new Date();
  // The default's name has the commit, which is not known yet: any name shows whether its folder can be written.
  const expectedFile = options.resultFile ?? defaultResultFile(date, "commit", isQuick);
  await checkResultFile(expectedFile, isQuick);
  await ensureBuilt(print);
  const peers = await choosePeers(options.peers, print);
  const { results, machine } = await withServer({ peers, image, print }, async (server, facts) => ({
    machine: facts,
    results: await runScenarios(chosen, { isQuick, repeats, peers, server, print }),
  }));
  const file = options.resultFile ?? defaultResultFile(date, machine.commit, isQuick);
  await writeResult(file, {
    date: date.toISOString(),
    isQuick,
    repeats,
    peers: peers.map(({ name }) => name),
    machine,
    scenarios: results,
  });
  const figuresOf = new Map(results.map(({ name, figures }) => [name, figures]));
  const missing = isQuick
    ? []
    : chosen.flatMap((scenario) => unmeasured(scenario, figuresOf.get(scenario.name) ?? []));
  print(
    `\n${summaryLine(results, missing.length)}\n${timeLine(results, performance.now() / 1_000)}\nWritten: ${file}`,
  );
  if (results.some(({ error }) => error !== undefined)) {
    process.exitCode = 1;
  }
}

try {
  await main();
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
