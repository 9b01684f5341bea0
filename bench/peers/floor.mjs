// @ts-check
/**
 * The physical limit: the data of holdfast moved by bare pipelined commands, with ids, envelopes and leases
 * of the same size. No scripts and no safety: nothing is atomic, no lease ends, no id or token is checked.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { connect, decode, encode, lastReply, newId } from "./floor-store.mjs";

/**
 * @typedef {import("./peer.ts").PeerItem} PeerItem
 * @typedef {import("./peer.ts").PeerWorkerOptions} PeerWorkerOptions
 * @typedef {import("./floor-store.mjs").Store} Store
 * @typedef {{ id: string, dueAtMs: number, lease: string, data?: unknown }} Taken
 */

const maxBatchJobs = 1_000;
const maxBatchesInFlight = 2;
const maxTakenJobs = 500;
const pollIntervalMs = 1;
const defaultLeaseMs = 30_000;

/** @type {import("./peer.ts").Peer["openProducer"]} */
export async function openProducer(target) {
  const store = await connect(target);
  const enqueue = groupCommit((items) => write(store, items));
  return {
    enqueue,
    enqueueMany: (items) => Promise.all(items.map(enqueue)),
    close: async () => void (await store.client.quit()),
  };
}

/** @type {import("./peer.ts").Peer["openWorker"]} */
export async function openWorker(target, options) {
  const store = await connect(target);
  // A small sorted set is a list that is searched from its head; a long member makes it a skiplist.
  await store.client.zadd(store.processing, 0, "-".repeat(65));
  // With two lanes, Redis works for one while this process runs the jobs of the other.
  const { concurrency } = options;
  const half = Math.ceil(concurrency / 2);
  const shares = concurrency === 1 ? [1] : [half, concurrency - half];
  const lanes = shares.map((slots) => openLane(store, { ...options, concurrency: slots }));
  return {
    close: async () => {
      await Promise.all(lanes.map((lane) => lane.close()));
      await store.client.quit();
    },
  };
}

/** Resolves when the promise callbacks that are due now have run. */
function endOfTick() {
  return new Promise((resolve) => {
    process.nextTick(resolve);
  });
}

/** @type {NonNullable<import("./peer.ts").Peer["openClaimer"]>} */
export async function openClaimer(target) {
  const store = await connect(target);
  const { client, delayed, processing, jobs } = store;
  /** @type {[id: string, lease: string][]} */
  let claimed = [];
  return {
    claim: async (max) => {
      const now = Date.now();
      const ids = await client.zrange(delayed, "-inf", now, "BYSCORE", "LIMIT", 0, max);
      if (ids.length > 0) {
        const taken = ids.map((id) => /** @type {[string, string]} */ ([id, `${id}:${now}000`]));
        const scored = taken.flatMap(([, lease]) => [now + defaultLeaseMs, lease]);
        const pipeline = client.pipeline().zremrangebyrank(delayed, 0, ids.length - 1);
        await lastReply(pipeline.zadd(processing, ...scored).hmget(jobs, ...ids));
        claimed.push(...taken);
      }
      return ids.length;
    },
    acknowledge: async () => {
      for (let first = 0; first < claimed.length; first += maxBatchJobs) {
        const batch = claimed.slice(first, first + maxBatchJobs);
        const pipeline = client.pipeline().hdel(jobs, ...batch.map(([id]) => id));
        await lastReply(pipeline.zrem(processing, ...batch.map(([, lease]) => lease)));
      }
      claimed = [];
    },
    close: async () => void (await client.quit()),
  };
}

/**
 * @param {Store} store
 * @param {PeerItem[]} items
 */
function write({ client, jobs, delayed }, items) {
  const fields = [];
  const scores = [];
  for (const { data, dueAtMs } of items) {
    const id = newId();
    fields.push(id, encode(data));
    scores.push(dueAtMs ?? Date.now(), id);
  }
  return lastReply(
    client
      .pipeline()
      .hset(jobs, ...fields)
      .zadd(delayed, ...scores),
  );
}

/**
 * What is called in one tick travels together, and what is called meanwhile in the next batch.
 *
 * @param {(items: PeerItem[]) => Promise<unknown>} send
 * @returns {(item: PeerItem) => Promise<void>}
 */
function groupCommit(send) {
  /** @type {{ item: PeerItem, resolve: () => void, reject: (error: unknown) => void }[]} */
  let pending = [];
  let inFlight = 0;
  let isScheduled = false;

  async function flush() {
    isScheduled = false;
    if (pending.length === 0 || inFlight === maxBatchesInFlight) {
      return;
    }
    const batch = pending.slice(0, maxBatchJobs);
    pending = pending.slice(maxBatchJobs);
    inFlight += 1;
    const sent = send(batch.map(({ item }) => item));
    void flush();
    try {
      await sent;
      for (const { resolve } of batch) resolve();
    } catch (error) {
      for (const { reject } of batch) reject(error);
    }
    inFlight -= 1;
    void flush();
  }

  return (item) =>
    new Promise((resolve, reject) => {
      pending.push({ item, resolve, reject });
      if (!isScheduled && inFlight < maxBatchesInFlight) {
        isScheduled = true;
        process.nextTick(flush);
      }
    });
}

/**
 * Some of the worker's slots, and a loop that keeps them filled. Without a script, the ids must have come
 * back before their envelopes can be asked for: each batch takes two round trips.
 *
 * @param {Store} store
 * @param {PeerWorkerOptions} options
 */
function openLane({ client, delayed, processing, jobs }, options) {
  const { concurrency, visibilityTimeoutMs = defaultLeaseMs, onAcknowledged, onError } = options;
  let running = 0;
  /** @type {Taken[]} */
  let ended = [];
  let wake = () => {};
  let isClosed = false;
  /** Whether the last take got all it asked for, so that the next need not look first. */
  let hasMore = false;

  /** @param {number} count */
  async function take(count) {
    const now = Date.now();
    const acknowledged = ended;
    ended = [];
    const pipeline = client.pipeline();
    if (acknowledged.length > 0) {
      pipeline.hdel(jobs, ...acknowledged.map(({ id }) => id));
      pipeline.zrem(processing, ...acknowledged.map(({ lease }) => lease));
    }
    if (count > 0) {
      if (hasMore) pipeline.zpopmin(delayed, count);
      else pipeline.zcount(delayed, "-inf", now);
    }
    const reply = await lastReply(pipeline);
    for (const { data } of acknowledged) onAcknowledged(data);
    if (count === 0) {
      return;
    }
    const due = hasMore ? count : Math.min(count, reply);
    const popped = hasMore || due === 0 ? reply : await client.zpopmin(delayed, due);
    const taken = due === 0 ? [] : await putEarlyBack(popped, now);
    hasMore = taken.length === count;
    if (taken.length > 0) {
      await start(taken, now + visibilityTimeoutMs);
    } else if (ended.length === 0) {
      await sleep(pollIntervalMs);
    }
  }

  /**
   * @param {string[]} popped ids and due times
   * @param {number} now
   */
  async function putEarlyBack(popped, now) {
    const token = Date.now() * 1_000;
    /** @type {Taken[]} */
    const taken = [];
    const early = [];
    for (let at = 0; at < popped.length; at += 2) {
      const id = popped[at] ?? "";
      const dueAtMs = Number(popped[at + 1]);
      if (dueAtMs <= now) taken.push({ id, dueAtMs, lease: `${id}:${token}` });
      else early.push(dueAtMs, id);
    }
    if (early.length > 0) {
      await client.zadd(delayed, ...early);
    }
    return taken;
  }

  /**
   * @param {Taken[]} taken
   * @param {number} leaseEndsAtMs
   */
  async function start(taken, leaseEndsAtMs) {
    const pipeline = client.pipeline();
    pipeline.zadd(processing, ...taken.flatMap(({ lease }) => [leaseEndsAtMs, lease]));
    pipeline.hmget(jobs, ...taken.map(({ id }) => id));
    const envelopes = await lastReply(pipeline);
    for (const [index, job] of taken.entries()) {
      void handle(job, envelopes[index]);
    }
    await endOfTick(); // handlers that do nothing have ended by then
  }

  /**
   * @param {Taken} job
   * @param {string} envelope
   */
  async function handle(job, envelope) {
    running += 1;
    try {
      job.data = decode(envelope);
      await options.handler({ data: job.data, dueAtMs: job.dueAtMs });
      ended.push(job);
    } catch (error) {
      onError(error); // and the job is never run again
    }
    running -= 1;
    wake();
  }

  const isDone = () => isClosed && running === 0 && ended.length === 0;

  async function run() {
    while (!isDone()) {
      const free = isClosed ? 0 : Math.min(concurrency - running, maxTakenJobs);
      if (free === 0 && ended.length === 0) {
        await new Promise((resolve) => {
          wake = () => resolve(undefined);
        });
        await endOfTick();
        continue;
      }
      await take(free).catch(async (error) => {
        onError(error);
        await sleep(pollIntervalMs);
      });
    }
  }

  const loop = run();
  return {
    close: () => {
      isClosed = true;
      wake();
      return loop;
    },
  };
}
