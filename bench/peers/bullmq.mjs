// @ts-check
/** BullMQ with its fastest documented settings; README.md gives the reason for each. */
import { randomUUID } from "node:crypto";
import { Queue, Worker } from "bullmq";

/**
 * @typedef {import("./peer.ts").PeerTarget} PeerTarget
 * @typedef {import("./peer.ts").PeerItem} PeerItem
 */

const jobName = "job";
const removeOnComplete = { count: 0 };

/** @param {PeerTarget} target */
function connectionOf({ url, connectionName }) {
  return { url, connectionName, maxRetriesPerRequest: null };
}

/** @type {import("./peer.ts").Peer["openProducer"]} */
export async function openProducer(target) {
  const queue = new Queue(target.queue, {
    connection: connectionOf(target),
    prefix: target.prefix,
  });
  await queue.waitUntilReady();
  return {
    enqueue: ({ data, dueAtMs }) => queue.add(jobName, data, due(dueAtMs)),
    enqueueMany: (items) =>
      queue.addBulk(
        items.map(({ data, dueAtMs }) => ({ name: jobName, data, opts: due(dueAtMs) })),
      ),
    close: () => queue.close(),
  };
}

/**
 * BullMQ counts the delay from the job's timestamp.
 *
 * @param {number | undefined} dueAtMs
 */
function due(dueAtMs) {
  const timestamp = Date.now();
  return dueAtMs === undefined || dueAtMs <= timestamp
    ? {}
    : { timestamp, delay: dueAtMs - timestamp };
}

/**
 * BullMQ gives the connection that blocks a name of its own.
 *
 * @param {Worker} worker
 * @param {PeerTarget} target
 */
async function ready(worker, { connectionName }) {
  await worker.waitUntilReady();
  await (await worker.backend.blockingClient)?.clientSetName(connectionName);
}

/** @type {import("./peer.ts").Peer["openWorker"]} */
export async function openWorker(target, options) {
  const { concurrency, visibilityTimeoutMs, handler, onAcknowledged, onError } = options;
  const worker = new Worker(
    target.queue,
    ({ data, timestamp, opts }) => handler({ data, dueAtMs: timestamp + (opts.delay ?? 0) }),
    {
      connection: connectionOf(target),
      prefix: target.prefix,
      autorun: false,
      concurrency,
      removeOnComplete,
      ...(visibilityTimeoutMs === undefined
        ? {}
        : { lockDuration: visibilityTimeoutMs, stalledInterval: visibilityTimeoutMs }),
    },
  );
  worker.on("completed", ({ data }) => onAcknowledged(data));
  worker.on("failed", (_, error) => onError(error));
  worker.on("error", onError);
  await ready(worker, target);
  worker.run().catch(onError);
  return { close: () => worker.close() };
}

/** @type {NonNullable<import("./peer.ts").Peer["openClaimer"]>} */
export async function openClaimer(target) {
  const connection = connectionOf(target);
  const worker = new Worker(target.queue, null, {
    connection,
    prefix: target.prefix,
    removeOnComplete,
  });
  await ready(worker, target);
  const token = randomUUID();
  /** @type {import("bullmq").Job[]} */
  let claimed = [];
  return {
    // One at a time: it has no call for several.
    claim: async (max) => {
      const before = claimed.length;
      while (claimed.length - before < max) {
        const job = await worker.getNextJob(token, { block: false });
        if (!job) break;
        claimed.push(job);
      }
      return claimed.length - before;
    },
    acknowledge: async () => {
      const jobs = claimed;
      claimed = [];
      await Promise.all(jobs.map((job) => job.moveToCompleted(undefined, token, false)));
    },
    close: () => worker.close(),
  };
}
