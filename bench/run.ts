/** Runs the scenarios, prints their figures and keeps them in a file. See README.md. */
import { findRedis } from "../tools/redis/find-redis.ts";
import { enqueue } from "./scenarios/enqueue.ts";
import { idle } from "./scenarios/idle.ts";
import { lateness } from "./scenarios/lateness.ts";
import { lifeCycle } from "./scenarios/life-cycle.ts";
import { memory } from "./scenarios/memory.ts";
import { pickUp } from "./scenarios/pick-up.ts";
import { processJobs } from "./scenarios/process.ts";
import { recovery } from "./scenarios/recovery.ts";
import { scriptCost } from "./scenarios/script-cost.ts";
import { verify } from "./scenarios/verify.ts";
import { BenchQueue } from "./support/bench-queue.ts";
import { BenchServer } from "./support/bench-server.ts";
import { ensureBuilt } from "./support/build.ts";
import { machineFacts } from "./support/machine.ts";
import { type BenchOptions, readOptions } from "./support/options.ts";
import { Progress } from "./support/progress.ts";
import * as report from "./support/report.ts";
import type { Scenario, ScenarioContext } from "./support/scenario.ts";

/** Memory comes first, on a server that is still empty. */
const scenarios: readonly Scenario[] = [
  memory,
  lateness,
  pickUp,
  idle,
  recovery,
  processJobs,
  enqueue,
  lifeCycle,
  scriptCost,
  verify,
];

const print = (line: string) => void process.stdout.write(`${line}\n`);

async function main(): Promise<void> {
  const options = readOptions(process.argv.slice(2));
  if (options.listsOnly) {
    for (const { name, description, target } of scenarios) {
      print(`${name.padEnd(12)} ${description}${target ? ` (target: ${target})` : ""}`);
    }
    return;
  }
  const chosen = choose(options.scenarios);
  await ensureBuilt(print);
  const redis = await findRedis({ print });
  const server = new BenchServer(redis.url);
  try {
    await runAll(chosen, options, server);
  } finally {
    server.close();
    await redis.stop();
  }
}

/** @throws Error if there is no scenario of such a name */
function choose(names: readonly string[]): readonly Scenario[] {
  const unknown = names.filter((name) => !scenarios.some((scenario) => scenario.name === name));
  if (unknown.length > 0) {
    throw new Error(
      `There is no scenario ${unknown.join(", ")}; --list shows those that there are.`,
    );
  }
  return names.length === 0 ? scenarios : scenarios.filter(({ name }) => names.includes(name));
}

async function runAll(
  chosen: readonly Scenario[],
  options: BenchOptions,
  server: BenchServer,
): Promise<void> {
  const date = new Date();
  const machine = await machineFacts(server);
  const facts = Object.entries(machine).map(([name, value]) => `${name} ${value}`);
  print(`Machine: ${facts.join(", ")}`);
  const results: report.ScenarioResult[] = [];
  for (const [index, scenario] of chosen.entries()) {
    const label = `${scenario.name} (${index + 1} of ${chosen.length})`;
    results.push(await runOne(scenario, label, options, server));
  }
  const file =
    options.resultFile ??
    report.defaultResultFile(date, String(machine["commit"]), options.isQuick);
  const { isQuick, repeats } = options;
  await report.writeResult(file, {
    date: date.toISOString(),
    options: { isQuick, repeats, scenarios: chosen.map(({ name }) => name) },
    machine,
    results: results.map(report.withSummary),
  });
  print(`\n${report.targetLine(results)}\nWritten: ${file}`);
  const failed = results.filter(({ error }) => error !== undefined);
  if (failed.length > 0) {
    print(`Failed: ${failed.map(({ name }) => name).join(", ")}`);
    process.exitCode = 1;
  }
}

async function runOne(
  scenario: Scenario,
  label: string,
  { isQuick, repeats }: BenchOptions,
  server: BenchServer,
): Promise<report.ScenarioResult> {
  const progress = new Progress(label);
  const queues = new Set<BenchQueue>();
  const context: ScenarioContext = {
    isQuick,
    repeats,
    server,
    progress: (text) => progress.show(text),
    withQueue: async (use) => {
      const queue = new BenchQueue(server);
      queues.add(queue);
      const result = await use(queue);
      await queue.remove();
      queues.delete(queue);
      return result;
    },
  };
  const { name, description, target, timeLimitMs } = scenario;
  const facts = { name, description, target };
  print(`\n${name}: ${description}${target ? `; target: ${target}` : ""}`);
  try {
    const figures = await withTimeLimit(scenario.run(context), timeLimitMs);
    progress.clear();
    print(report.figureTable(figures));
    return { ...facts, figures };
  } catch (error) {
    progress.clear();
    // What a failed or overdue scenario left behind must not disturb the next one.
    await Promise.allSettled([...queues].map((queue) => queue.remove()));
    print(`  FAILED: ${error instanceof Error ? error.message : String(error)}`);
    return { ...facts, figures: [], error: String(error) };
  }
}

async function withTimeLimit<Result>(work: Promise<Result>, limitMs: number): Promise<Result> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not done after ${limitMs / 1_000} s`)), limitMs);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

try {
  await main();
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
