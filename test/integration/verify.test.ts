/** The audit as a whole: what it reports, that it can be ended, and what it takes. */
import { describe, expect, test } from "vitest";
import { testQueue } from "../helpers/holdfast.ts";
import { failOnLeaks } from "../helpers/leak-check.ts";

failOnLeaks();

const noCounts = { orphan: 0, double: 0, dangling: 0, malformed: 0, queue: 0 };

test("a last claim that names jobs which are gone is no breach: it is only remembered", async () => {
  const { queue, redis, keys } = testQueue<string>();
  await queue.enqueue("x", { id: "x" });
  const [delivery] = await queue.claim();
  await delivery!.ack();
  await redis.zadd(keys.waiting, Date.now() + 60_000, "a worker");
  await redis.hset(keys.claims, "a worker", "anything");
  expect(await queue.verify()).toMatchObject({ isSound: true, breachCount: 0 });
});

test("a queue with jobs in every place is sound", async () => {
  const { queue } = testQueue<number>();
  await queue.enqueueMany(
    Array.from({ length: 500 }, (_, n) => ({ data: n, delayMs: n < 250 ? 0 : 60_000 })),
  );
  const deliveries = await queue.claim({ max: 100 });
  await Promise.all(deliveries.slice(0, 50).map((delivery) => delivery.bury("bad")));
  await Promise.all(deliveries.slice(50, 60).map((delivery) => delivery.ack()));
  expect(await queue.verify()).toEqual({
    isSound: true,
    isComplete: true,
    jobs: 490,
    breachCount: 0,
    breachCounts: noCounts,
    breaches: [],
    unknownCount: 0,
  });
});

describe("many breaches", () => {
  test("are counted in full, told up to a thousand, and mended all", async () => {
    const { queue, redis, keys } = testQueue<number>();
    const count = 12_000; // more than are set aside at a time
    const items = Array.from({ length: count }, (_, data) => ({ data, id: `job-${data}` }));
    await queue.enqueueMany(items);
    await redis.del(keys.delayed);
    const found = await queue.verify({ repair: true });
    expect(found).toMatchObject({ jobs: count, breachCount: count, unknownCount: 0 });
    expect(found.breaches).toHaveLength(1_000);
    expect(await queue.verify()).toMatchObject({ isSound: true, jobs: count });
    expect(await queue.stats()).toMatchObject({ due: count });
  });
});

describe("a signal", () => {
  test("that is aborted ends the audit before its first page", async () => {
    const { queue } = testQueue<number>();
    await queue.enqueue(1);
    const report = await queue.verify({ signal: AbortSignal.abort() });
    expect(report).toMatchObject({ isSound: false, isComplete: false, jobs: 0, breachCount: 0 });
  });

  test("ends an audit under way, which tells what it has found", async () => {
    const { queue, redis, keys } = testQueue<number>();
    const items = Array.from({ length: 2_000 }, (_, data) => ({ data }));
    await queue.enqueueMany(items);
    await redis.hset(keys.meta, "purged", "many");
    const controller = new AbortController();
    const pending = queue.verify({ signal: controller.signal });
    controller.abort();
    expect(await pending).toMatchObject({
      isSound: false,
      isComplete: false,
      breachCounts: { queue: 1 },
    });
  });
});

test.each([
  [{ repair: "yes" }, "repair is"],
  [{ mend: true }, "options.mend is"],
  [{ signal: 5 }, "signal is 5"],
])("options are checked: %j", async (options, message) => {
  const { queue } = testQueue();
  await expect(queue.verify(options as never)).rejects.toThrow(message);
});
