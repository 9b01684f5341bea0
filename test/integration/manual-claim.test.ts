import { describe, expect, test } from "vitest";
import { InvalidOptionError, LeaseLostError } from "../../src/index.ts";
import { testQueue } from "../helpers/holdfast.ts";
import { failOnLeaks } from "../helpers/leak-check.ts";
import { waitFor } from "../helpers/wait-for.ts";

failOnLeaks();

describe("claim", () => {
  test("takes due jobs, at most max, each to be settled by hand", async () => {
    const { queue } = testQueue<number>();
    await queue.enqueueMany([0, 1, 2, 3, 4].map((data) => ({ data })));
    const deliveries = await queue.claim({ max: 3 });
    expect(deliveries.map(({ data }) => data)).toEqual([0, 1, 2]);
    const [a, b, c] = deliveries;
    expect(await a!.ack()).toBe("done");
    expect(await b!.nack({ delayMs: 60_000, error: new Error("later") })).toBe("done");
    expect(await c!.bury("bad")).toBe("done");
    expect(await queue.stats()).toMatchObject({ delayed: 1, due: 2, processing: 0, dead: 1 });
    expect(await queue.get(b!.id)).toMatchObject({ failedAttempts: 1, lastError: "Error: later" });
    expect(await queue.get(c!.id)).toMatchObject({
      failedAttempts: 1,
      lastError: "bad",
      state: "dead",
    });
  });

  test("says which when a settlement is refused: twice, stale, gone", async () => {
    const { queue, passTime } = testQueue<string>();
    await queue.enqueue("x");
    const [first] = await queue.claim();
    await passTime(30_001);
    const [second] = await queue.claim({ waitMs: 5_000 });
    expect(second!.attempt).toBe(2);
    expect(await first!.ack()).toBe("stale");
    expect(await first!.nack()).toBe("stale");
    expect(await first!.bury("no")).toBe("stale");
    await expect(first!.extend()).rejects.toThrow(LeaseLostError);
    expect(await second!.ack()).toBe("done");
    expect(await second!.ack()).toBe("gone");
    expect(await first!.ack()).toBe("gone");
    const twice = await queue.enqueue("y").then(() => queue.claim());
    expect(await Promise.all([twice[0]!.ack(), twice[0]!.ack()])).toEqual(["done", "gone"]);
  });

  test("a release gives back without counting", async () => {
    const { queue } = testQueue<string>();
    await queue.enqueue("x");
    const [first] = await queue.claim();
    await first!.nack({ countsAttempt: false });
    const [second] = await queue.claim();
    expect(second!.attempt).toBe(1);
    await second!.nack();
    const [third] = await queue.claim();
    expect(third!.attempt).toBe(2);
    await third!.ack();
  });

  test("an extension keeps the job", async () => {
    const { queue, passTime } = testQueue<string>();
    await queue.enqueue("x");
    const [delivery] = await queue.claim({ visibilityTimeoutMs: 100_000 });
    await passTime(60_000);
    await delivery!.extend();
    await passTime(60_000);
    expect(await queue.claim()).toEqual([]);
    expect(await delivery!.ack()).toBe("done");
  });

  test("gives expired leases back by itself, with no worker about", async () => {
    const { queue, passTime } = testQueue<string>();
    await queue.enqueue("x");
    await queue.claim();
    await passTime(30_001);
    // Even a claim that does not wait finds it: it reaps, and looks again.
    const [again] = await queue.claim();
    expect(again!.attempt).toBe(2);
    await again!.ack();
  });

  test("gives expired leases back while other jobs are due", async () => {
    const { queue, passTime } = testQueue<string>();
    await queue.enqueue("x", { id: "x" });
    await queue.claim();
    await passTime(30_001);
    await queue.enqueue("y");
    const [y] = await queue.claim();
    expect(y!.data).toBe("y");
    expect(await queue.get("x")).toMatchObject({ state: "due", failedAttempts: 1 });
  });

  test("buries what must not run, and returns the rest", async () => {
    const { queue, redis, keys } = testQueue<string>();
    await queue.enqueue("a", { id: "a" });
    await queue.enqueue("b", { id: "b" });
    await redis.hset(keys.jobs, "a", "garbage");
    const deliveries = await queue.claim({ max: 10 });
    expect(deliveries.map(({ id }) => id)).toEqual(["b"]);
    expect((await queue.dead.list()).jobs.map(({ id }) => id)).toEqual(["a"]);
  });
});

describe("waiting", () => {
  test("ends with the first job", async () => {
    const { queue, redis, keys } = testQueue<number>();
    const claimed = queue.claim({ waitMs: 600_000, max: 5 });
    await waitFor(async () => (await redis.zcard(keys.waiting)) === 1);
    await queue.enqueue(1);
    expect((await claimed).map(({ data }) => data)).toEqual([1]);
    // It no longer looks, so it must not be counted on.
    await waitFor(async () => (await redis.zcard(keys.waiting)) === 0);
  });

  test("ends when a delayed job becomes due", async () => {
    const { queue } = testQueue<number>();
    await queue.enqueue(1, { delayMs: 100 });
    expect(await queue.claim({ waitMs: 600_000 })).toHaveLength(1);
  });

  test("ends with nothing after waitMs, or when its signal aborts", async () => {
    const { queue, redis, keys } = testQueue<number>();
    expect(await queue.claim({ waitMs: 30 })).toEqual([]);
    const abort = new AbortController();
    const claimed = queue.claim({ waitMs: 600_000, signal: abort.signal });
    await waitFor(async () => (await redis.zcard(keys.waiting)) === 1);
    abort.abort();
    expect(await claimed).toEqual([]);
  });

  test("ends when the queue is closed", async () => {
    const { another, redis, keys } = testQueue<number>();
    const queue = another();
    const claimed = queue.claim({ waitMs: 600_000 });
    await waitFor(async () => (await redis.zcard(keys.waiting)) === 1);
    await queue.close();
    await expect(claimed).resolves.toEqual([]);
  });

  test("many at a time each get a job of their own", async () => {
    const { queue, redis, keys } = testQueue<number>();
    const claims = Array.from({ length: 10 }, () => queue.claim({ waitMs: 600_000 }));
    await waitFor(async () => (await redis.zcard(keys.waiting)) === 10);
    await queue.enqueueMany(Array.from({ length: 10 }, (_, data) => ({ data })));
    const ids = (await Promise.all(claims)).flat().map(({ data }) => data);
    expect(ids.toSorted((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });
});

test.each([
  [{ max: 0 }, "max is 0"],
  [{ max: 101 }, "whole number from 1 to 100"],
  [{ waitMs: -1 }, "waitMs is -1"],
  [{ visibilityTimeoutMs: 5 }, "visibilityTimeoutMs is 5"],
  [{ wait: 5 } as never, "options.wait is 5"],
])("claim options: %j", async (options, message) => {
  const { queue } = testQueue();
  await expect(queue.claim(options)).rejects.toThrow(InvalidOptionError);
  await expect(queue.claim(options)).rejects.toThrow(message);
});

test("a delivery checks what it is given", async () => {
  const { queue } = testQueue<string>();
  await queue.enqueue("x");
  const [delivery] = await queue.claim();
  await expect(delivery!.nack({ delayMs: -1 })).rejects.toThrow("delayMs is -1");
  await expect(delivery!.bury("")).rejects.toThrow('reason is ""');
  expect(await delivery!.ack()).toBe("done");
});
