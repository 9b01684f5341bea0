// @ts-check
/** BullMQ with its fastest documented settings; README.md gives the reason for each. */
import { Queue, Worker } from "bullmq";

/**
 * @typedef {import("./peer.ts").PeerTarget} PeerTarget
 * @typedef {import("./peer.ts").PeerItem} PeerItem
 */

const jobName = "job";

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
      removeOnComplete: { count: 0 },
      ...(visibilityTimeoutMs === undefined
        ? {}
        : { lockDuration: visibilityTimeoutMs, stalledInterval: visibilityTimeoutMs }),
    },
  );
  worker.on("completed", ({ data }) => onAcknowledged(data));
  worker.on("failed", (_, error) => onError(error));
  worker.on("error", onError);
  await worker.waitUntilReady();
  // BullMQ gives the connection that blocks a name of its own.
  await (await worker.backend.blockingClient)?.clientSetName(target.connectionName);
  worker.run().catch(onError);
  return { close: () => worker.close() };
}
