/**
 * Every key of a queue's shard. All share one hash tag, so that they live on one node of a cluster,
 * and none ever has a time to live, so that `volatile-*` eviction cannot touch them.
 */
import { crc32 } from "node:zlib";
import keySlot from "cluster-key-slot";

/** Slots of a Redis Cluster. */
const CLUSTER_SLOTS = 16_384;

export interface QueueKeys {
  /** Sorted set: id, by due time in ms. */
  readonly delayed: string;
  /** Sorted set: lease `<id>:<token>`, by deadline in ms. */
  readonly processing: string;
  /** Sorted set: id, by time of death in ms. */
  readonly dead: string;
  /** Hash: id to envelope. */
  readonly jobs: string;
  /** Hash: id to the count of deliveries that did not end well. */
  readonly attempts: string;
  /** Hash: id to the last failure. */
  readonly errors: string;
  /** Hash: worker id to its last claim. */
  readonly claims: string;
  /** Sorted set: worker id, by the time of its next look in ms. */
  readonly waiting: string;
  /** Hash: data version, number of shards, token counter, paused flag, running totals. */
  readonly meta: string;
}

export type KeyPart = keyof QueueKeys;

/**
 * The hash tags of a queue's shards: its name, or `<name>/<k>` where there are several. Each `k` is the
 * smallest number that puts the tag into its own one of as many equal ranges of cluster slots, so that
 * the shards lie evenly on the nodes of a cluster that shares its slots in ranges, as clusters do.
 */
export function shardTags(queueName: string, shards: number): readonly string[] {
  if (shards === 1) {
    return [queueName];
  }
  const tags = new Map<number, string>();
  for (let k = 0; tags.size < shards; k += 1) {
    const tag = `${queueName}/${k}`;
    const range = Math.floor((keySlot(tag) * shards) / CLUSTER_SLOTS);
    if (!tags.has(range)) tags.set(range, tag);
  }
  return Array.from({ length: shards }, (_, range) => tags.get(range)!);
}

/** Which shard holds a job, told from its id alone. */
export function shardOfId(id: string, shards: number): number {
  return shards === 1 ? 0 : crc32(id) % shards;
}

export function queueKeys(prefix: string, tag: string): QueueKeys {
  const key = (part: string) => `${prefix}:{${tag}}:${part}`;
  return Object.freeze({
    delayed: key("delayed"),
    processing: key("processing"),
    dead: key("dead"),
    jobs: key("jobs"),
    attempts: key("attempts"),
    errors: key("errors"),
    claims: key("claims"),
    waiting: key("waiting"),
    meta: key("meta"),
  });
}

/** A worker's wake-up channel is this and its id. In the same slot as the keys, for sharded pub/sub. */
export function wakeChannelPrefix(prefix: string, tag: string): string {
  return `${prefix}:{${tag}}:wake:`;
}
