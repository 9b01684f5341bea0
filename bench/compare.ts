/**
 * Measures the current tree beside another revision, and says what moved beyond the noise:
 * `npm run bench:compare -- main`. With `--write-baseline` its ratios to the peers become the new baseline.
 */
import { parseArgs } from "node:util";
import {
  baselineOf,
  baselineTable,
  compareToBaseline,
  readBaseline,
  writeBaseline,
} from "./support/baseline.ts";
import { ensureBuilt } from "./support/build.ts";
import { choosePeers } from "./support/chosen-peers.ts";
import { comparisonTable, compareRevisions } from "./support/comparison.ts";
import type { BenchResult } from "./support/result.ts";
import { runScenarios } from "./support/run-scenarios.ts";
import { withRevision } from "./support/revision.ts";
import { timeLine } from "./support/table.ts";
import type { BenchPeer } from "./support/scenario.ts";
import { choose } from "./support/scenarios.ts";
import { withServer } from "./support/with-server.ts";

const defaultRepeats = 5;
const print = (line: string) => void process.stdout.write(`${line}\n`);

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      scenario: { type: "string", multiple: true, default: [] },
      repeats: { type: "string", default: String(defaultRepeats) },
      image: { type: "string" },
      "write-baseline": { type: "boolean", default: false },
    },
  });
  const [revision, ...more] = positionals;
  const repeats = Number(values.repeats);
  if (revision === undefined || more.length > 0) {
    throw new Error("name one revision to compare with: npm run bench:compare -- main");
  }
  if (!Number.isInteger(repeats) || repeats < 1) {
    throw new Error("--repeats must be a whole number from 1");
  }
  const writesBaseline = values["write-baseline"];
  if (writesBaseline && values.scenario.length > 0) {
    throw new Error("--write-baseline keeps all scenarios: it cannot go with --scenario");
  }
  const baseline = writesBaseline ? undefined : await readBaseline();
  await ensureBuilt(print);
  const [current, ...others] = await choosePeers(["holdfast", "floor", "bullmq"], print);
  await withRevision(revision, print, async (base) => {
    const result = await measure([current!, base, ...others], { ...values, repeats });
    const revisions = { current: current!.name, base: base.name };
    print(`\nAgainst ${base.name}:\n`);
    print(comparisonTable(compareRevisions(result.scenarios, revisions)));
    const failed = result.scenarios.filter(({ error }) => error !== undefined);
    if (failed.length > 0) {
      throw new Error(`Failed, and so not compared: ${failed.map(({ name }) => name).join(", ")}`);
    }
    if (writesBaseline) {
      await writeBaseline(baselineOf(result));
      print("\nWritten: bench/baseline.json");
    } else if (baseline) {
      print(`\nAgainst the baseline of ${baseline.date.slice(0, 10)}, ${baseline.commit}:\n`);
      print(baselineTable(compareToBaseline(baseline, result)));
    } else {
      print("\nThere is no bench/baseline.json to compare with; --write-baseline writes it.");
    }
    print(`\n${timeLine(result.scenarios, performance.now() / 1_000)}`);
  });
}

/** The quick suite, of the scenarios that go through the package that is built: the others call the scripts of this tree. */
async function measure(
  peers: readonly BenchPeer[],
  settings: { scenario: string[]; repeats: number; image?: string | undefined },
): Promise<BenchResult> {
  const { repeats, image } = settings;
  const chosen = choose(settings.scenario, { isQuick: true, print }).filter(
    (scenario) => scenario.peers.length > 1,
  );
  const date = new Date().toISOString();
  return withServer({ peers, image, print }, async (server, machine) => ({
    date,
    isQuick: true,
    repeats,
    peers: peers.map(({ name }) => name),
    machine,
    scenarios: await runScenarios(chosen, { isQuick: true, repeats, peers, server, print }),
  }));
}

try {
  await main();
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
