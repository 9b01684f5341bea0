// @ts-check
/**
 * The floor of a pick-up: the hops that a wake-up by a message takes, in bare commands. The producer stores a
 * job and publishes its id in one pipeline; the one worker that listens takes the job in another, and runs it.
 * It knows no due times and no second worker: bare commands cannot choose one of several.
 */
import { connect, decode, encode, lastReply, newId } from "./floor-store.mjs";

const leaseMs = 30_000;

/** @type {import("./peer.ts").Peer["openProducer"]} */
export async function openProducer(target) {
  const store = await connect(target);
  const { client, jobs, delayed } = store;
  /** @param {import("./peer.ts").PeerItem} item */
  const enqueue = ({ data }) => {
    const id = newId();
    const pipeline = client.pipeline().hset(jobs, id, encode(data)).zadd(delayed, Date.now(), id);
    return lastReply(pipeline.spublish(channelOf(store), id));
  };
  return {
    enqueue,
    enqueueMany: (items) => Promise.all(items.map(enqueue)),
    close: async () => void (await client.quit()),
  };
}

/** @type {import("./peer.ts").Peer["openWorker"]} */
export async function openWorker(target, { handler, onAcknowledged, onError }) {
  const store = await connect(target);
  const { client, jobs, delayed, processing } = store;

  /** @param {string} id */
  async function run(id) {
    const now = Date.now();
    const lease = `${id}:${now * 1_000}`;
    const take = client
      .pipeline()
      .zrem(delayed, id)
      .zadd(processing, now + leaseMs, lease);
    const data = decode(await lastReply(take.hget(jobs, id)));
    await handler({ data, dueAtMs: now });
    await lastReply(client.pipeline().hdel(jobs, id).zrem(processing, lease));
    onAcknowledged(data);
  }

  const subscriber = client.duplicate();
  subscriber.on("smessage", (_, id) => void run(id).catch(onError));
  await subscriber.connect();
  await subscriber.ssubscribe(channelOf(store));
  return {
    close: async () => {
      await Promise.all([subscriber.quit(), client.quit()]);
    },
  };
}

/** @param {import("./floor-store.mjs").Store} store */
function channelOf({ jobs }) {
  return `${jobs}:wake`;
}
