/**
 * Every key of a queue. All share the hash tag `{<queue>}`, so that they live on one node of a
 * cluster, and none ever has a time to live, so that `volatile-*` eviction cannot touch them.
 */

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
  /** Hash: data version, token counter, paused flag, running totals. */
  readonly meta: string;
}

export type KeyPart = keyof QueueKeys;

export function queueKeys(prefix: string, queueName: string): QueueKeys {
  const key = (part: string) => `${prefix}:{${queueName}}:${part}`;
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
export function wakeChannelPrefix(prefix: string, queueName: string): string {
  return `${prefix}:{${queueName}}:wake:`;
}
