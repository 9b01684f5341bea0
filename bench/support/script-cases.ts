/** Each script at its largest allowed batch, on a large queue. */
import { setTimeout as sleep } from "node:timers/promises";
import * as limits from "../../src/core/model/limits.ts";
import type { ClaimReply, NewJob, SettleResult } from "../../src/core/store/messages.ts";
import { dayMs, longError, payloadBytes, type ScriptWorld } from "./script-world.ts";

export interface ScriptCase {
  /** The script's name in `src/scripts`. */
  readonly script: string;
  /** What the call carries. */
  readonly load: string;
  /** What its `call` must answer: a call that did less would be a cheap one. */
  readonly moves: number;
  /** Sets the call up. */
  prepare(world: ScriptWorld): Promise<TimedCall>;
}

interface TimedCall {
  /** Exactly one call of the script. Answers how many jobs or leases it moved, or else told of. */
  call(): Promise<number>;
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
  {
    ...enqueueCase(`${enqueueJobs} known ids`, payloadBytes, async (world, jobs) => {
      await world.enqueue(jobs.map((job) => ({ ...job, envelope: "another" })));
    }),
    moves: 0,
  },
  claimCase(`${claimJobs} jobs`, payloadBytes),
  claimCase(`${claimJobs} jobs, 1 MiB`, Math.floor(limits.REPLY_BYTES / claimJobs)),
  claimCase("nothing due", 0, 0),
  {
    script: "ack",
    load: `${settleJobs} jobs`,
    moves: settleJobs,
    prepare: async (world) => {
      const leases = await world.lease(settleJobs);
      return { call: async () => done(await world.store.ack(leases)) };
    },
  },
  {
    script: "nack",
    load: `${settleJobs} jobs, 200 KiB of errors`,
    moves: settleJobs,
    prepare: async (world) => {
      const leases = await world.lease(settleJobs);
      const items = leases.map(({ id, token }) => ({
        id,
        token,
        delayMs: dayMs,
        counts: true,
        error: longError,
      }));
      return { call: async () => done(await world.store.nack(items)) };
    },
  },
  {
    script: "bury",
    load: `${settleJobs} jobs, 200 KiB of errors`,
    moves: settleJobs,
    prepare: async (world) => {
      const leases = await world.lease(settleJobs);
      const items = leases.map(({ id, token }) => ({ id, token, counts: true, reason: longError }));
      return {
        call: async () => done(await world.store.bury(items)),
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
    moves: settleJobs,
    prepare: async (world) => {
      const leases = await world.lease(settleJobs);
      return {
        call: async () => held(await world.store.extend(leases, dayMs)),
        restore: () => world.store.ack(leases),
      };
    },
  },
  {
    script: "reap",
    load: `${limits.REAP_BATCH_JOBS} leases`,
    moves: limits.REAP_BATCH_JOBS,
    prepare: async (world) => {
      await world.lease(limits.REAP_BATCH_JOBS, expiredAtOnceMs);
      await sleep(expiredAtOnceMs + 2);
      const delaysMs = Array.from({ length: limits.REAP_BACKOFF_STEPS }, () => dayMs);
      return { call: async () => (await world.store.reap(delaysMs)).ids.length };
    },
  },
  deadCase("redrive", (world, ids) => world.store.redrive(ids)),
  deadCase("purge", (world, ids) => world.store.purge(ids)),
  {
    script: "list-dead",
    load: `${adminIds} jobs, the page before is gone`,
    moves: adminIds,
    prepare: async ({ store }) => {
      const page = { maxJobs: adminIds, afterId: "gone", untilMs: limits.MAX_TIME_MS };
      const [first] = await store.listDead({ ...page, maxJobs: 1, afterId: "", afterMs: 0 });
      return {
        call: async () => (await store.listDead({ ...page, afterMs: first?.diedAtMs ?? 0 })).length,
      };
    },
  },
  {
    script: "peek",
    load: `${adminIds} ids`,
    moves: adminIds,
    prepare: async ({ store, delayedIds }) => ({
      call: async () => (await store.peek(delayedIds.slice(0, adminIds))).length,
    }),
  },
  ...["processing", "jobs", "delayed", "dead", "attempts", "errors"].map(verifyCase),
  {
    script: "mend",
    load: `${adminIds} sound ids, ${limits.MEND_MAX_LEASES.toLocaleString("en-US")} leases`,
    moves: adminIds,
    prepare: async ({ audit, delayedIds }) => ({
      call: async () =>
        ofKind("sound", await audit.mend(suspects(delayedIds.slice(0, adminIds)), true, "")),
    }),
  },
  {
    script: "mend",
    load: `${adminIds} doubles, ${limits.MEND_MAX_LEASES.toLocaleString("en-US")} leases`,
    moves: adminIds,
    prepare: prepareDoubles,
  },
  smallCase("mend-queue", "all keys", async ({ audit }) => ({
    call: async () => (await audit.mendQueue(true)).length,
  })),
  {
    ...smallCase("cancel", "one id", async (world) => {
      const [id = ""] = await world.enqueue(world.newJobs(1, later));
      return { call: async () => Number((await world.store.cancel(id)) === "cancelled") };
    }),
    moves: 1,
  },
  {
    ...smallCase("reschedule", "one id", async ({ store, delayedIds: [id = ""] }) => ({
      call: async () => Number((await store.reschedule(id, later())).status === "rescheduled"),
    })),
    moves: 1,
  },
  smallCase("stats", "all counts", async ({ store }) => ({ call: () => nothing(store.stats()) })),
  smallCase("pause", "", async ({ store }) => ({
    call: () => nothing(store.pause()),
    restore: () => store.resume(),
  })),
  smallCase("resume", "", async ({ store }) => {
    await store.pause();
    return { call: () => nothing(store.resume()) };
  }),
  smallCase("leave", "a waiting worker", async (world) => {
    await world.claim();
    return { call: () => nothing(world.store.leave(world.workerId)) };
  }),
  smallCase("open", "", async (world) => {
    const store = world.freshStore();
    return { call: () => nothing(store.open()) };
  }),
  {
    ...smallCase("reshard", "the same number", async (world) => ({ call: () => world.reshard() })),
    moves: 1,
  },
];

function smallCase(script: string, load: string, prepare: ScriptCase["prepare"]): ScriptCase {
  return { script, load, moves: 0, prepare };
}

function enqueueCase(
  load: string,
  bytes: number,
  first?: (world: ScriptWorld, jobs: readonly NewJob[]) => Promise<void>,
): ScriptCase {
  return {
    script: "enqueue",
    load,
    moves: enqueueJobs,
    prepare: async (world) => {
      const jobs = world.newJobs(enqueueJobs, later, bytes);
      await first?.(world, jobs);
      return { call: () => world.enqueueBatch(jobs) };
    },
  };
}

function claimCase(load: string, bytes: number, jobs = claimJobs): ScriptCase {
  return {
    script: "claim",
    load,
    moves: jobs,
    prepare: async (world) => {
      await world.enqueue(world.newJobs(jobs, atOnce, bytes));
      let reply: ClaimReply | undefined;
      return {
        call: async () => {
          reply = await world.claim();
          return reply.jobs.length;
        },
        restore: async () => {
          const { jobs: taken = [], token = 0 } = reply ?? {};
          await (jobs > 0 && world.store.ack(taken.map(({ id }) => ({ id, token }))));
        },
      };
    },
  };
}

function deadCase(
  script: string,
  move: (world: ScriptWorld, ids: readonly string[]) => Promise<readonly boolean[]>,
): ScriptCase {
  return {
    script,
    load: `${adminIds} dead letters`,
    moves: adminIds,
    prepare: async (world) => {
      const ids = await world.bury(adminIds);
      return { call: async () => held(await move(world, ids)), restore: () => world.drain() };
    },
  };
}

/** Goes on where the call before ended, so that each looks at other entries. */
function verifyCase(part: string): ScriptCase {
  let cursor = "0";
  return {
    script: "verify",
    load: `a page of ${part}`,
    moves: 1,
    prepare: async ({ audit }) => ({
      call: async () => {
        const page = await audit.verifyPage(part, cursor, limits.VERIFY_PAGE_ENTRIES);
        ({ cursor } = page);
        return Number(page.entries > 0); // how many is for Redis to say
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
    call: async () => ofKind("double", await world.audit.mend(suspects(ids), true, "")),
    restore: () => world.store.ack(ids.map((id) => ({ id, token }))),
  };
}

function suspects(ids: readonly string[]) {
  return ids.map((id) => ({ id, tokens: "" }));
}

const done = (results: readonly SettleResult[]) =>
  results.filter((result) => result === "done").length;
const held = (results: readonly boolean[]) => results.filter(Boolean).length;
const ofKind = (wanted: string, verdicts: readonly { readonly kind: string }[]) =>
  verdicts.filter(({ kind }) => kind === wanted).length;

/** Of a script whose reply tells of no job. */
async function nothing(call: Promise<unknown>): Promise<number> {
  await call;
  return 0;
}
