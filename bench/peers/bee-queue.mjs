// @ts-check
/** Bee-Queue with its fastest documented settings; README.md gives the reason for each. */
import { createRequire } from "node:module";
import BeeQueue from "bee-queue";

/**
 * @typedef {import("./peer.ts").PeerTarget} PeerTarget
 * @typedef {import("./peer.ts").PeerItem} PeerItem
 */

/** The client library of Bee-Queue itself, node_redis 3. */
const redis = createRequire(import.meta.resolve("bee-queue"))("redis");

const closeTimeoutMs = 30_000;

/**
 * @param {PeerTarget} target
 * @param {object} settings
 */
async function openQueue({ url, queue: name, prefix, connectionName }, settings) {
  const queue = new BeeQueue(name, {
    redis: named(redis.createClient({ url }), connectionName),
    quitCommandClient: true,
    prefix,
    getEvents: false,
    sendEvents: false,
    storeJobs: false,
    ...settings,
  });
  await queue.ready();
  return queue;
}

/**
 * node_redis 3 has no option for the connection's name. Asked for before the connection stands, it is the
 * first command on it; so too on the copies that Bee-Queue makes.
 *
 * @param {any} client
 * @param {string} connectionName
 */
function named(client, connectionName) {
  client.client("SETNAME", connectionName);
  const duplicate = client.duplicate.bind(client);
  client.duplicate = () => named(duplicate(), connectionName);
  return client;
}

/** @type {import("./peer.ts").Peer["openProducer"]} */
export async function openProducer(target) {
  const queue = await openQueue(target, { isWorker: false });
  /** @param {PeerItem} item */
  const toJob = ({ data, dueAtMs }) => {
    const job = queue.createJob(data);
    return dueAtMs === undefined ? job : job.delayUntil(dueAtMs);
  };
  return {
    enqueue: (item) => toJob(item).save(),
    enqueueMany: async (items) => {
      const errors = await queue.saveAll(items.map(toJob));
      for (const error of errors.values()) {
        throw error;
      }
    },
    close: () => queue.close(closeTimeoutMs),
  };
}

/** @type {import("./peer.ts").Peer["openWorker"]} */
export async function openWorker(target, options) {
  const { concurrency, visibilityTimeoutMs, handler, onAcknowledged, onError } = options;
  const stallInterval = visibilityTimeoutMs ?? 5_000;
  const queue = await openQueue(target, {
    removeOnSuccess: true,
    activateDelayedJobs: true,
    delayedDebounce: 0,
    stallInterval,
  });
  queue.on("succeeded", ({ data }) => onAcknowledged(data));
  queue.on("failed", (_, error) => onError(error));
  queue.on("error", onError);
  queue.process(concurrency, ({ data, options: { delay, timestamp } }) =>
    handler({ data, dueAtMs: delay ?? timestamp }),
  );
  // Without this loop, which is left to the user, no job of a dead worker ever comes back.
  await queue.checkStalledJobs(stallInterval);
  return { close: () => queue.close(closeTimeoutMs) };
}
