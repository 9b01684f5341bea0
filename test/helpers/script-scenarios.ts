/** Calls of every script that touch all that the script may touch, each on the same busy queue. */
import type { KeyPart } from "../../src/core/store/keys.ts";
import type { ScriptDefinition } from "../../src/scripts/definition.ts";
import * as scripts from "../../src/scripts/generated.ts";
import { claimArguments } from "./script-claim.ts";
import type { TestQueue } from "./script-harness.ts";
import { hearWakes } from "./script-wakes.ts";

export interface Scenario {
  readonly name: string;
  readonly script: ScriptDefinition;
  /** The keys that the call changes. */
  readonly writes: readonly KeyPart[];
  /** What must be there besides the busy queue. */
  readonly prepare?: (queue: TestQueue) => Promise<unknown>;
  /** Looks at nothing but the reply. */
  readonly call: (queue: TestQueue) => Promise<unknown>;
}

/** A queue with jobs in each state, one worker to wake, and others that are gone or about to leave. */
export async function makeBusy(queue: TestQueue, scenario: Scenario): Promise<void> {
  const failed = { attempts: 2, error: "boom" };
  const claim = (change: object) =>
    queue.runOnBreach(scripts.claim, claimArguments(queue, { wakeChannel: "", ...change }));
  await claim({ workerId: "other", pollIntervalMs: 0 });
  await queue.moveTime(60_000);
  await queue.plantDelayed("taken", -1_000, failed);
  await claim({ workerId: "leaver", pollIntervalMs: 90_000 });
  await queue.plantDelayed("due", -2_000, failed);
  await queue.plantDelayed("also due", -1_000);
  await queue.plantDelayed("later", 60_000, failed);
  await queue.plantHeld("held", 7, 30_000, failed);
  await queue.plantHeld("expired", 3, -1_000, failed);
  await queue.plantDead("dead", -1_000, failed);
  await queue.plantWaiting("gone", 40_000);
  await queue.plantWaiting("w1", 50_000);
  await hearWakes(queue, ["w1"]);
  await scenario.prepare?.(queue);
}

const settling = ["processing", "attempts", "errors", "meta"] as const;

const moving: readonly Scenario[] = [
  {
    name: "ack",
    script: scripts.ack,
    writes: [...settling, "jobs"],
    call: (queue) => queue.runOnBreach(scripts.ack, {}, ["held", 7]),
  },
  {
    name: "bury",
    script: scripts.bury,
    writes: [...settling, "dead"],
    call: (queue) => queue.runOnBreach(scripts.bury, {}, ["held", 7, 1, "too often"]),
  },
  {
    name: "cancel",
    script: scripts.cancel,
    writes: ["delayed", "jobs", "attempts", "errors", "meta"],
    call: (queue) => queue.runOnBreach(scripts.cancel, { id: "later" }),
  },
  {
    name: "claim with slots left",
    script: scripts.claim,
    writes: ["delayed", "processing", "claims", "waiting", "meta"],
    call: (queue) => queue.runOnBreach(scripts.claim, claimArguments(queue, { workerId: "new" })),
  },
  {
    name: "claim that hands the watch over",
    script: scripts.claim,
    writes: ["delayed", "processing", "claims", "waiting", "meta"],
    call: (queue) => queue.runOnBreach(scripts.claim, claimArguments(queue, { maxJobs: 1 })),
  },
  {
    name: "claim asked once more",
    script: scripts.claim,
    writes: ["waiting"],
    prepare: (queue) => queue.moveTime(100),
    call: (queue) =>
      queue.runOnBreach(scripts.claim, claimArguments(queue, { workerId: "leaver" })),
  },
  {
    name: "enqueue",
    script: scripts.enqueue,
    writes: ["delayed", "jobs", "waiting", "meta"],
    call: (queue) => {
      const args = { wakeChannel: queue.wakeChannel, dataVersion: 1, shards: 1 };
      return queue.runOnBreach(scripts.enqueue, args, ["new", "{}", "+0", "newer", "{}", "+0"]);
    },
  },
  {
    name: "extend",
    script: scripts.extend,
    writes: ["processing"],
    call: (queue) =>
      queue.runOnBreach(scripts.extend, { visibilityTimeoutMs: 60_000 }, ["held", 7]),
  },
  {
    name: "nack",
    script: scripts.nack,
    writes: [...settling, "delayed", "waiting"],
    call: (queue) => {
      const list = ["held", 7, 0, 1, "bang"];
      return queue.runOnBreach(scripts.nack, { wakeChannel: queue.wakeChannel }, list);
    },
  },
  {
    name: "reap",
    script: scripts.reap,
    writes: [...settling, "delayed", "waiting"],
    call: (queue) => {
      const args = { maxJobs: 10, wakeChannel: queue.wakeChannel };
      return queue.runOnBreach(scripts.reap, args, [0, 1_000]);
    },
  },
];

const administering: readonly Scenario[] = [
  {
    name: "leave",
    script: scripts.leave,
    writes: ["claims", "waiting"],
    call: (queue) => {
      const args = { workerId: "leaver", wakeChannel: queue.wakeChannel };
      return queue.runOnBreach(scripts.leave, args);
    },
  },
  {
    name: "mend with repairs",
    script: scripts.mend,
    writes: ["delayed", "processing", "dead", "attempts", "errors"],
    async prepare(queue) {
      await queue.plantJob("orphan", {});
      await queue.plantHeld("double", 1);
      await queue.plantHeld("double", 2);
      await queue.plantDelayed("double");
      await queue.plantDead("double");
      await queue.plantScore("dead", "dangling", 0);
      await queue.client.hset(queue.keys.attempts, "dangling", 1);
      await queue.client.hset(queue.keys.errors, "dangling", "boom");
    },
    call: (queue) => {
      const list = ["orphan", "", "double", "", "dangling", ""];
      const args = { mends: 1, maxLeases: 10_000, scanToken: "" };
      return queue.runOnBreach(scripts.mend, args, list);
    },
  },
  {
    name: "mend-queue with repairs",
    script: scripts.mendQueue,
    writes: ["meta"],
    call: (queue) => queue.runOnBreach(scripts.mendQueue, { mends: 1 }),
  },
  {
    name: "pause",
    script: scripts.pause,
    writes: ["meta"],
    call: (queue) => queue.runOnBreach(scripts.pause, {}),
  },
  {
    name: "purge",
    script: scripts.purge,
    writes: ["dead", "jobs", "attempts", "errors", "meta"],
    call: (queue) => queue.runOnBreach(scripts.purge, {}, ["dead"]),
  },
  {
    name: "redrive",
    script: scripts.redrive,
    writes: ["dead", "delayed", "attempts", "errors", "waiting", "meta"],
    call: (queue) =>
      queue.runOnBreach(scripts.redrive, { wakeChannel: queue.wakeChannel }, ["dead"]),
  },
  {
    name: "reschedule",
    script: scripts.reschedule,
    writes: ["delayed", "waiting"],
    call: (queue) => {
      const args = { wakeChannel: queue.wakeChannel, id: "later", dueText: "+0" };
      return queue.runOnBreach(scripts.reschedule, args);
    },
  },
  {
    name: "reshard",
    script: scripts.reshard,
    writes: ["meta"],
    prepare: (queue) => queue.client.del(Object.values(queue.keys)),
    call: (queue) => queue.runOnBreach(scripts.reshard, { note: 2, from: 0 }),
  },
  {
    name: "resume",
    script: scripts.resume,
    writes: ["waiting", "meta"],
    prepare: (queue) => queue.client.hset(queue.keys.meta, "paused", 1),
    call: (queue) => queue.runOnBreach(scripts.resume, { wakeChannel: queue.wakeChannel }),
  },
];

const AUDITED = ["processing", "jobs", "delayed", "dead", "attempts", "errors"];

const reading: readonly Scenario[] = [
  {
    name: "cancel of a job that is elsewhere",
    script: scripts.cancel,
    writes: [],
    call: (queue) => queue.runOnBreach(scripts.cancel, { id: "dead" }),
  },
  {
    // It writes a total over itself, which is as large as the jobs planted beside the scripts ask for.
    name: "enqueue of a job that is there",
    script: scripts.enqueue,
    writes: [],
    prepare: (queue) => queue.client.hset(queue.keys.meta, "enqueued", 6),
    call: (queue) => {
      const args = { wakeChannel: queue.wakeChannel, dataVersion: 1, shards: 1 };
      return queue.runOnBreach(scripts.enqueue, args, ["due", "envelope of due", "+0"]);
    },
  },
  {
    name: "list-dead",
    script: scripts.listDead,
    writes: [],
    call: (queue) => {
      const args = { maxJobs: 10, afterId: "", afterMs: 0, untilMs: 9e15 };
      return queue.runOnBreach(scripts.listDead, args);
    },
  },
  {
    name: "mend without repairs",
    script: scripts.mend,
    writes: [],
    call: (queue) => {
      const args = { mends: 0, maxLeases: 10_000, scanToken: "" };
      return queue.runOnBreach(scripts.mend, args, ["due", ""]);
    },
  },
  {
    name: "mend with more leases than it may search",
    script: scripts.mend,
    writes: [],
    call: (queue) => {
      const args = { mends: 0, maxLeases: -1, scanToken: "none" };
      return queue.runOnBreach(scripts.mend, args, ["due", ""]);
    },
  },
  {
    name: "open",
    script: scripts.open,
    writes: [],
    call: (queue) => queue.runOnBreach(scripts.open, {}),
  },
  {
    name: "peek",
    script: scripts.peek,
    writes: [],
    call: (queue) => queue.runOnBreach(scripts.peek, { maxBytes: 1_000 }, ["due", "dead"]),
  },
  {
    name: "reschedule of a job that is elsewhere",
    script: scripts.reschedule,
    writes: [],
    call: (queue) => {
      const args = { wakeChannel: queue.wakeChannel, id: "held", dueText: "+0" };
      return queue.runOnBreach(scripts.reschedule, args);
    },
  },
  {
    name: "stats",
    script: scripts.stats,
    writes: [],
    call: (queue) => queue.runOnBreach(scripts.stats, {}),
  },
  ...AUDITED.map<Scenario>((part) => ({
    name: `verify of ${part}`,
    script: scripts.verify,
    writes: [],
    call: (queue) => queue.runOnBreach(scripts.verify, { part, cursor: "0", pageSize: 100 }),
  })),
];

export const scenarios: readonly Scenario[] = [...moving, ...administering, ...reading];
