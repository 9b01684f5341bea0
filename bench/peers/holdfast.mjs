// @ts-check
/** holdfast itself: the built package, as a user has it. */
import { join } from "node:path";
import { pathToFileURL } from "node:url";

/**
 * @typedef {import("./peer.ts").PeerTarget} PeerTarget
 * @typedef {import("./peer.ts").PeerItem} PeerItem
 */

/** Another build may be named, so that two revisions can be compared. */
const entry =
  process.env["HOLDFAST_BENCH_DIST"] ?? join(import.meta.dirname, "../../dist/index.js");
/** @type {typeof import("../../src/index.ts")} */
const { Queue, Worker } = await import(pathToFileURL(entry).href);

/** @param {PeerTarget} target */
function openQueue({ url, queue, prefix, connectionName, isUntraced }) {
  const connection = new URL(url);
  connection.searchParams.set("connectionName", connectionName);
  const trace = isUntraced ? "none" : "link";
  return new Queue(queue, { connection: connection.href, prefix, trace });
}

/** @type {import("./peer.ts").Peer["openProducer"]} */
export async function openProducer(target) {
  const queue = openQueue(target);
  await queue.stats(); // opens the connection
  return {
    enqueue: ({ data, dueAtMs }) =>
      queue.enqueue(data, dueAtMs === undefined ? {} : { runAt: dueAtMs }),
    enqueueMany: (items) => queue.enqueueMany(items.map(toItem)),
    close: () => queue.close(),
  };
}

/** @param {PeerItem} item */
function toItem({ data, dueAtMs }) {
  return dueAtMs === undefined ? { data } : { data, runAt: dueAtMs };
}

/** @type {import("./peer.ts").Peer["openWorker"]} */
export async function openWorker(target, options) {
  const {
    concurrency,
    visibilityTimeoutMs,
    prefetch = 0,
    handler,
    onAcknowledged,
    onError,
  } = options;
  const queue = openQueue(target);
  const worker = new Worker(
    queue,
    ({ data, dueAt }) => handler({ data, dueAtMs: dueAt.getTime() }),
    {
      concurrency,
      prefetch,
      ...(visibilityTimeoutMs === undefined ? {} : { visibilityTimeoutMs }),
    },
  );
  worker.on("completed", ({ job }) => onAcknowledged(job.data));
  worker.on("retried", ({ error }) => onError(error));
  worker.on("dead", ({ error, reason }) => onError(error ?? new Error(reason)));
  worker.on("error", onError);
  await worker.start();
  return {
    close: async () => {
      await worker.close();
      await queue.close();
    },
  };
}

/** @type {NonNullable<import("./peer.ts").Peer["openClaimer"]>} */
export async function openClaimer(target) {
  const queue = openQueue(target);
  await queue.stats();
  /** @type {import("../../src/index.ts").Delivery<unknown>[][]} */
  let claimed = [];
  return {
    claim: async (max) => {
      const deliveries = await queue.claim({ max });
      claimed.push(deliveries);
      return deliveries.length;
    },
    acknowledge: async () => {
      const deliveries = claimed.flat();
      claimed = [];
      await Promise.all(deliveries.map((delivery) => delivery.ack()));
    },
    close: () => queue.close(),
  };
}
