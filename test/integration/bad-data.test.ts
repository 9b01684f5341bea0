/** Keys that hold other data than holdfast's: told before anything is changed. */
import { describe, expect, test } from "vitest";
import { IncompatibleDataError } from "../../src/index.ts";
import type { KeyPart, QueueKeys } from "../../src/core/store/keys.ts";
import { queueKeys } from "../../src/core/store/keys.ts";
import type { Redis } from "ioredis";
import { testQueue } from "../helpers/holdfast.ts";
import { failOnLeaks } from "../helpers/leak-check.ts";
import { watchedWorker } from "../helpers/watched-worker.ts";
import { waitFor } from "../helpers/wait-for.ts";

failOnLeaks();

const parts = Object.keys(queueKeys("p", "q")) as KeyPart[];

/** Everything that Redis holds for the queue. */
async function dump(redis: Redis, keys: QueueKeys): Promise<string[]> {
  const values = await Promise.all(Object.values(keys).map((key) => redis.dumpBuffer(key)));
  return values.map((value) => value?.toString("base64") ?? "");
}

describe.each(parts)("another type under %s", (part) => {
  test("is told at the first call, by name", async () => {
    const near = testQueue<string>();
    const { queue, redis, keys } = near;
    await redis.set(keys[part], "something else");
    const calls = [
      () => queue.enqueue("x"),
      () => queue.enqueueMany([{ data: "x" }]),
      () => queue.claim(),
      () => queue.stats(),
      () => queue.verify({ repair: true }),
      () => watchedWorker(near.another(), () => undefined).worker.start(),
    ];
    for (const call of calls) {
      const error = await call().then(
        () => undefined,
        (reason: unknown) => reason as Error,
      );
      expect(error).toBeInstanceOf(IncompatibleDataError);
      expect(error!.message).toMatch(new RegExp(`\\b${part}\\b.*another queue name or prefix`));
    }
    expect(await redis.get(keys[part])).toBe("something else");
    expect(await redis.exists(...Object.values(keys))).toBe(1);
  });

  test("planted later is told at the call concerned, with nothing changed", async () => {
    const { queue, redis, keys } = testQueue<string>();
    // A queue with something in each part, so that every call has something to do.
    const held = async (id: string) => {
      await queue.enqueue("x", { id });
      return (await queue.claim({ visibilityTimeoutMs: 600_000 }))[0]!;
    };
    await (await held("failed")).nack({ delayMs: 600_000, error: new Error("once") });
    await (await held("dead")).bury("bad");
    const delivery = await held("held");
    const other = await held("other");
    await queue.enqueue("x", { id: "delayed", delayMs: 600_000 });
    await queue.enqueue("x", { id: "due", delayMs: 0 });
    await redis.del(keys[part]);
    await (part === "meta" || part === "jobs"
      ? redis.zadd(keys[part], 1, "something else")
      : redis.rpush(keys[part], "something else"));
    const before = await dump(redis, keys);

    const concerned: Record<KeyPart, readonly string[]> = {
      delayed: ["enqueue", "claim", "nack", "reschedule", "cancel", "redrive"],
      processing: ["claim", "ack", "nack", "bury", "extend"],
      dead: ["bury", "redrive", "purge", "list"],
      jobs: ["enqueue", "ack", "nack", "bury", "cancel", "purge"],
      attempts: ["ack", "nack", "bury", "cancel", "redrive", "purge"],
      errors: ["ack", "nack", "bury", "cancel", "redrive", "purge"],
      claims: ["claim"],
      waiting: ["enqueue", "claim", "nack", "redrive"],
      meta: ["enqueue", "claim", "ack", "nack", "bury", "cancel", "purge", "redrive"],
    };
    const calls: Record<string, () => Promise<unknown>> = {
      enqueue: () => queue.enqueue("y", { id: "new" }),
      claim: () => queue.claim({ waitMs: 0 }),
      ack: () => delivery.ack(),
      nack: () => delivery.nack({ error: "again" }),
      bury: () => other.bury("worse"),
      extend: () => delivery.extend(),
      reschedule: () => queue.reschedule("delayed", { delayMs: 5 }),
      cancel: () => queue.cancel("delayed"),
      redrive: () => queue.dead.redrive({ ids: ["dead"] }),
      purge: () => queue.dead.purge({ ids: ["dead"] }),
      list: () => queue.dead.list(),
    };
    for (const name of concerned[part]) {
      const outcome = await calls[name]!().catch((error: unknown) => error);
      expect({ name, outcome }).toEqual({ name, outcome: expect.any(IncompatibleDataError) });
      expect({ name, data: await dump(redis, keys) }).toEqual({ name, data: before });
    }
    await redis.del(keys[part]);
  });
});

test("a running worker reports it, and works on once it is gone", async () => {
  const { queue, redis, keys } = testQueue<string>();
  const { worker, seen, next } = watchedWorker(queue, () => undefined, { pollIntervalMs: 20 });
  await worker.start();
  await waitFor(() => worker.health().lastLookAgeMs !== undefined);
  await redis.set(keys.delayed, "something else");
  await waitFor(() => seen.error.length > 1);
  expect(seen.error[0]).toBeInstanceOf(IncompatibleDataError);
  await redis.del(keys.delayed);
  const completed = next("completed");
  await queue.enqueue("x");
  await completed;
});

test("data of a newer release is refused at every first call", async () => {
  const near = testQueue<string>();
  const { queue, redis, keys } = near;
  await redis.hset(keys.meta, "version", 2);
  for (const call of [
    () => queue.enqueue("x"),
    () => queue.claim(),
    () => queue.stats(),
    () => watchedWorker(near.another(), () => undefined).worker.start(),
  ]) {
    await expect(call()).rejects.toThrow(IncompatibleDataError);
    await expect(call()).rejects.toThrow(/version 2.*up to 1.*upgrade holdfast/);
  }
  expect(await redis.hgetall(keys.meta)).toEqual({ version: "2" });
});
