/** A whole audit with repairs of a large, damaged queue: how long each of its calls holds the server. */
import { type AuditedStore, audit } from "../../src/core/engine/auditor.ts";
import { formatVerifyReport, type VerifyReport } from "../../src/core/model/verify-report.ts";
import { timeCall, type TimedSample } from "../support/call-timer.ts";
import { Figures, type Scenario, type ScenarioContext } from "../support/scenario.ts";
import { dayMs, ScriptWorld } from "../support/script-world.ts";
import { addTimedCalls, longestCallTargets } from "../support/timed-calls.ts";

const limitMs = 10;
const largeJobs = 500;
const largeBytes = 512 * 1_024;
const orphans = 1_000;
const parts = ["delayed", "processing", "dead", "jobs", "attempts", "errors"] as const;
const calls = [...parts.map((part) => `a page of ${part}`), "mend", "mend-queue"];

export const verify: Scenario = {
  name: "verify",
  description: "an audit with repairs of a large queue with many leases and some large payloads",
  peers: ["holdfast"],
  targets: longestCallTargets(calls, limitMs),
  timeLimitMs: 1_200_000,
  run: async (context) => {
    const [peer] = context.peers;
    const world = new ScriptWorld(context.server, context.openQueue(peer!));
    try {
      await fill(context, world);
      return await auditAll(context, world);
    } finally {
      await world.close();
    }
  },
};

async function fill(context: ScenarioContext, world: ScriptWorld): Promise<void> {
  const [jobs, leases] = context.isQuick ? [20_000, 2_000] : [1_000_000, 100_000];
  await world.fill(jobs - leases, (text) => context.progress(text));
  context.progress(`${leases.toLocaleString("en-US")} leases`);
  for (let held = 0; held < leases; held += 5_000) {
    await world.lease(5_000);
  }
  context.progress("large payloads");
  for (let stored = 0; stored < largeJobs; stored += 10) {
    await world.enqueue(world.newJobs(10, () => `+${dayMs}`, largeBytes));
  }
}

async function auditAll(context: ScenarioContext, world: ScriptWorld): Promise<Figures["all"]> {
  const samples = new Map<string, TimedSample[]>();
  const seconds: number[] = [];
  const memory: number[] = [];
  for (let round = 1; round <= context.repeats; round += 1) {
    context.progress(`repeat ${round} of ${context.repeats}`);
    const ids = await world.enqueue(world.newJobs(orphans, () => `+${dayMs}`));
    await world.server.client.zrem(world.keys.delayed, ...ids);
    const startedAt = performance.now();
    const before = process.memoryUsage().heapUsed;
    const report = await audit(timedStore(world, samples), true);
    memory.push((process.memoryUsage().heapUsed - before) / 1_000_000);
    seconds.push((performance.now() - startedAt) / 1_000);
    check(report);
  }
  const figures = new Figures();
  for (const [row, timed] of samples) {
    addTimedCalls(figures, row, timed);
  }
  const facts = { row: "the whole audit, each call timed", peer: "holdfast" };
  figures.add({ ...facts, metric: "time", unit: "s" }, ...seconds);
  figures.add({ ...facts, metric: "heap growth, garbage included", unit: "MB" }, ...memory);
  return figures.all;
}

/** @throws Error if the audit did not find exactly what was planted */
function check(report: VerifyReport): void {
  if (report.breachCounts.orphan !== orphans || report.breachCount !== orphans) {
    throw new Error(`${orphans} orphans were planted, but: ${formatVerifyReport(report)}`);
  }
  if (report.unknownCount > 0) {
    throw new Error(`nothing else used the queue, but: ${formatVerifyReport(report)}`);
  }
}

function timedStore(
  { audit: store, server }: ScriptWorld,
  samples: Map<string, TimedSample[]>,
): AuditedStore {
  const timed = async <Result>(metric: string, call: () => Promise<Result>): Promise<Result> => {
    const { result, sample } = await timeCall(server, call);
    const all = samples.get(metric) ?? [];
    samples.set(metric, all);
    all.push(sample);
    return result;
  };
  return {
    get serverEpoch() {
      return store.serverEpoch;
    },
    verifyPage: (part, cursor, pageSize) =>
      timed(`a page of ${part}`, () => store.verifyPage(part, cursor, pageSize)),
    mend: (suspects, mends, token) => timed("mend", () => store.mend(suspects, mends, token)),
    mendQueue: (mends) => timed("mend-queue", () => store.mendQueue(mends)),
  };
}
