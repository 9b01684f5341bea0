/** What Redis holds when all is over, read key by key and not through holdfast. */
import type { Redis } from "ioredis";
import type { Queue } from "../../../src/index.ts";
import type { EndState, Place } from "../checker/evidence.ts";
import { PREFIX } from "./setting.ts";

const PLACES = ["delayed", "processing", "dead"] as const;

/**
 * Makes due what waits for its time. A job that lost its holder again and again may wait for minutes: the
 * backoff of a claim by hand is not ours to choose.
 */
export async function bringForward(redis: Redis, queue: Queue<never>): Promise<void> {
  for (const key of await keysOf(redis, queue)) {
    const ids = key.endsWith(":delayed") ? await redis.zrange(key, 0, "-1") : [];
    for (const id of ids) await queue.reschedule(id, { delayMs: 0 });
  }
}

/** The queue must be at rest. */
export async function readEndState(
  redis: Redis,
  queue: Queue<never>,
  hasDrained: boolean,
): Promise<EndState> {
  const { totals } = await queue.stats();
  const { isSound, breaches } = await queue.verify();
  const jobIds: string[] = [];
  const places: Place[] = [];
  for (const key of await keysOf(redis, queue)) {
    const part = key.slice(key.lastIndexOf(":") + 1);
    if (part === "jobs") {
      jobIds.push(...(await redis.hkeys(key)));
    }
    const place = PLACES.find((name) => name === part);
    if (place) {
      const members = await redis.zrange(key, 0, "-1");
      places.push(...members.map((member) => ({ place, id: idOf(place, member) })));
    }
  }
  return { jobIds, places, totals, audit: { isSound, breaches }, hasDrained };
}

/** Of all shards: their keys differ in the hash tag only. */
function keysOf(redis: Redis, queue: Queue<never>): Promise<string[]> {
  return redis.keys(`${PREFIX}:{${queue.name}*}:*`);
}

/** A lease is the member `<id>:<token>`. */
function idOf(place: (typeof PLACES)[number], member: string): string {
  return place === "processing" ? member.slice(0, member.lastIndexOf(":")) : member;
}
