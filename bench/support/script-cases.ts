/** Each script at its largest allowed batch, on a large queue. */
import { setTimeout as sleep } from "node:timers/promises";
import * as limits from "../../src/core/model/limits.ts";
import type { ClaimReply, NewJob } from "../../src/core/store/messages.ts";
import { dayMs, longError, payloadBytes, type ScriptWorld } from "./script-world.ts";

export interface ScriptCase {
  /** The script's name in `src/scripts`. */
  readonly script: string;
  /** What the call carries. */
  readonly load: string;
  /** Sets the call up. */
  prepare(world: ScriptWorld): Promise<TimedCall>;
}

interface TimedCall {
  /** Exactly one call of the script. */
  call(): Promise<unknown>;
  /** What the call must answer; compared when it is over. */
  readonly expected: unknown;
  /** Puts the queue back. */
  restore?(): Promise<unknown>;
}

const later = () => `+${dayMs}`;
const atOnce = () => "+0";
const enqueueJobs = limits.ENQUEUE_BATCH_JOBS;
const claimJobs = limits.CLAIM_BATCH_JOBS;
const settleJobs = limits.SETTLE_BATCH_JOBS;
const adminIds = limits.ADMIN_BATCH_JOBS;
const expiredAtOnceMs = 1;

export const scriptCases: readonly ScriptCase[] = [
  enqueueCase(`${enqueueJobs} jobs`, payloadBytes),
  enqueueCase(`${enqueueJobs} jobs, 512 KiB`, Math.floor(limits.ENQUEUE_BATCH_BYTES / enqueueJobs)),
  enqueueCase(`${enqueueJobs} known ids`, payloadBytes, async (world, jobs) => {
    await world.enqueue(jobs.map((job) => ({ ...job, envelope: "another" })));
  }),
  claimCase(`${claimJobs} jobs`, payloadBytes),
  claimCase(`${claimJobs} jobs, 1 MiB`, Math.floor(limits.REPLY_BYTES / claimJobs)),
  claimCase("nothing due", 0, 0),
  {
    script: "ack",
    load: `${settleJobs} jobs`,
    prepare: async (world) => {
      const leases = await world.lease(settleJobs);
      return { call: () => world.store.ack(leases) };
    },
  },
  {
    script: "nack",
    load: `${settleJobs} jobs, 200 KiB of errors`,
    prepare: async (world) => {
      const leases = await world.lease(settleJobs);
      const items = leases.map(({ id, token }) => ({
        id,
        token,
        delayMs: dayMs,
        counts: true,
        error: longError,
      }));
      return { call: () => world.store.nack(items) };
    },
  },
  {
    script: "bury",
    load: `${settleJobs} jobs, 200 KiB of errors`,
    prepare: async (world) => {
      const leases = await world.lease(settleJobs);
      const items = leases.map(({ id, token }) => ({ id, token, counts: true, reason: longError }));
      return {
        call: () => world.store.bury(items),
        restore: async () => {
          const ids = leases.map(({ id }) => id);
          await world.store.purge(ids.slice(0, adminIds));
          await world.store.purge(ids.slice(adminIds));
        },
      };
    },
  },
  {
    script: "extend",
    load: `${settleJobs} leases`,
    prepare: async (world) => {
      const leases = await world.lease(settleJobs);
      return {
        call: () => world.store.extend(leases, dayMs),
        restore: () => world.store.ack(leases),
      };
    },
  },
  {
    script: "reap",
    load: `${limits.REAP_BATCH_JOBS} leases`,
    prepare: async (world) => {
      await world.lease(limits.REAP_BATCH_JOBS, expiredAtOnceMs);
      await sleep(expiredAtOnceMs + 2);
      const delaysMs = Array.from({ length: limits.REAP_BACKOFF_STEPS }, () => dayMs);
      return { call: () => world.store.reap(delaysMs) };
    },
  },
  deadCase("redrive", (world, ids) => world.store.redrive(ids)),
  deadCase("purge", (world, ids) => world.store.purge(ids)),
  {
    script: "list-dead",
    load: `${adminIds} jobs, the page before is gone`,
    prepare: async ({ store }) => {
      const page = { maxJobs: adminIds, afterId: "gone", untilMs: limits.MAX_TIME_MS };
      const [first] = await store.listDead({ ...page, maxJobs: 1, afterId: "", afterMs: 0 });
      return { call: () => store.listDead({ ...page, afterMs: first?.diedAtMs ?? 0 }) };
    },
  },
  {
    script: "peek",
    load: `${adminIds} ids`,
    prepare: async ({ store, delayedIds }) => ({
      call: () => store.peek(delayedIds.slice(0, adminIds)),
    }),
  },
  ...["processing", "jobs", "delayed", "dead", "attempts", "errors"].map(verifyCase),
  {
    script: "mend",
    load: `${adminIds} sound ids, ${limits.MEND_MAX_LEASES.toLocaleString("en-US")} leases`,
    prepare: async ({ audit, delayedIds }) => ({
      call: () => audit.mend(suspects(delayedIds.slice(0, adminIds)), true, ""),
    }),
  },
  {
    script: "mend",
    load: `${adminIds} doubles, ${limits.MEND_MAX_LEASES.toLocaleString("en-US")} leases`,
    prepare: prepareDoubles,
  },
  smallCase("mend-queue", "all keys", async ({ audit }) => ({
    call: () => audit.mendQueue(true),
  })),
  smallCase("cancel", "one id", async (world) => {
    const [id = ""] = await world.enqueue(world.newJobs(1, later));
    return { call: () => world.store.cancel(id) };
  }),
  smallCase("reschedule", "one id", async ({ store, delayedIds: [id = ""] }) => ({
    call: () => store.reschedule(id, later()),
  })),
  smallCase("stats", "all counts", async ({ store }) => ({ call: () => store.stats() })),
  smallCase("pause", "", async ({ store }) => ({
    call: () => store.pause(),
    restore: () => store.resume(),
  })),
  smallCase("resume", "", async ({ store }) => {
    await store.pause();
    return { call: () => store.resume() };
  }),
  smallCase("leave", "a waiting worker", async (world) => {
    await world.claim();
    return { call: () => world.store.leave(world.workerId) };
  }),
  smallCase("open", "", async (world) => {
    const store = world.freshStore();
    return { call: () => store.open() };
  }),
];

function smallCase(script: string, load: string, prepare: ScriptCase["prepare"]): ScriptCase {
  return { script, load, prepare };
}

function enqueueCase(
  load: string,
  bytes: number,
  first?: (world: ScriptWorld, jobs: readonly NewJob[]) => Promise<void>,
): ScriptCase {
  return {
    script: "enqueue",
    load,
    prepare: async (world) => {
      const jobs = world.newJobs(enqueueJobs, later, bytes);
      await first?.(world, jobs);
      return { call: () => world.enqueue(jobs) };
    },
  };
}

function claimCase(load: string, bytes: number, jobs = claimJobs): ScriptCase {
  return {
    script: "claim",
    load,
    prepare: async (world) => {
      await world.enqueue(world.newJobs(jobs, atOnce, bytes));
      let reply: ClaimReply | undefined;
      return {
        call: async () => {
          reply = await world.claim();
        },
        restore: async () => {
          const { jobs: taken = [], token = 0 } = reply ?? {};
          if (taken.length !== jobs) {
            throw new Error(`a claim took ${taken.length} jobs, not ${jobs}`);
          }
          await (jobs > 0 && world.store.ack(taken.map(({ id }) => ({ id, token }))));
        },
      };
    },
  };
}

function deadCase(
  script: string,
  move: (world: ScriptWorld, ids: readonly string[]) => Promise<unknown>,
): ScriptCase {
  return {
    script,
    load: `${adminIds} dead letters`,
    prepare: async (world) => {
      const ids = await world.bury(adminIds);
      return { call: () => move(world, ids), restore: () => world.drain() };
    },
  };
}

/** Goes on where the call before ended, so that each looks at other entries. */
function verifyCase(part: string): ScriptCase {
  let cursor = "0";
  return {
    script: "verify",
    load: `a page of ${part}`,
    prepare: async ({ audit }) => ({
      call: async () => {
        ({ cursor } = await audit.verifyPage(part, cursor, limits.VERIFY_PAGE_ENTRIES));
      },
    }),
  };
}

/** Jobs that are delayed and held at once: the breach that costs most to mend. */
async function prepareDoubles(world: ScriptWorld): Promise<TimedCall> {
  const token = 1;
  const ids = await world.enqueue(world.newJobs(adminIds, later));
  const entries = ids.flatMap((id) => [Date.now() + dayMs, `${id}:${token}`]);
  await world.server.client.zadd(world.keys.processing, ...entries);
  return {
    call: async () => {
      const verdicts = await world.audit.mend(suspects(ids), true, "");
      if (verdicts.some(({ kind }) => kind !== "double")) {
        throw new Error("mend found something else where all were doubles");
      }
    },
    restore: () => world.store.ack(ids.map((id) => ({ id, token }))),
  };
}

function suspects(ids: readonly string[]) {
  return ids.map((id) => ({ id, tokens: "" }));
}
