import { describe, expect, test } from "vitest";
import { InvalidOptionError } from "../../src/index.ts";
import { testQueue } from "../helpers/holdfast.ts";
import { failOnLeaks } from "../helpers/leak-check.ts";

failOnLeaks();

describe("one job", () => {
  test("can be looked up in every state", async () => {
    const { queue } = testQueue<string>();
    expect(await queue.get("none")).toBeUndefined();
    await queue.enqueue("data", { id: "x", delayMs: 60_000 });
    expect(await queue.get("x")).toMatchObject({ state: "delayed", data: "data" });
    await queue.reschedule("x", { delayMs: 0 });
    expect(await queue.get("x")).toMatchObject({ state: "due", diedAt: undefined });
    const [delivery] = await queue.claim();
    expect(await queue.get("x")).toMatchObject({ state: "processing", dueAt: undefined });
    await delivery!.bury("bad");
    const dead = await queue.get("x");
    expect(dead).toMatchObject({ state: "dead", lastError: "bad", failedAttempts: 1 });
    expect(Math.abs(dead!.diedAt!.getTime() - Date.now())).toBeLessThan(60_000);
  });

  test("can be cancelled until a worker holds it", async () => {
    const { queue } = testQueue<string>();
    await queue.enqueue("x", { id: "x", delayMs: 60_000 });
    expect(await queue.cancel("x")).toBe("cancelled");
    expect(await queue.cancel("x")).toBe("gone");
    await queue.enqueue("y", { id: "y" });
    const [delivery] = await queue.claim();
    expect(await queue.cancel("y")).toBe("processing");
    await delivery!.bury("bad");
    expect(await queue.cancel("y")).toBe("dead");
    expect((await queue.stats()).totals).toMatchObject({ cancelled: 1, buried: 1 });
  });

  test("can be given a new due time until a worker holds it", async () => {
    const { queue } = testQueue<string>();
    await queue.enqueue("x", { id: "x", delayMs: 60_000 });
    const runAt = new Date(Date.now() + 3_600_000);
    expect(await queue.reschedule("x", { runAt })).toEqual({ status: "rescheduled", dueAt: runAt });
    expect(await queue.get("x")).toMatchObject({ dueAt: runAt });
    expect(await queue.reschedule("none", { runAt })).toEqual({ status: "gone", dueAt: undefined });
    await queue.reschedule("x", { delayMs: 0 });
    await queue.claim();
    expect((await queue.reschedule("x", { runAt })).status).toBe("processing");
  });

  test.each([
    [{}, "runAt is undefined"],
    [{ delayMs: 1, runAt: 1 }, "a job has one due time"],
    [{ delayMs: -1 }, "delayMs is -1"],
    [{ id: "y", delayMs: 1 }, "options.id"],
  ])("reschedule refuses %j", async (due, message) => {
    const { queue } = testQueue();
    await expect(queue.reschedule("x", due)).rejects.toThrow(InvalidOptionError);
    await expect(queue.reschedule("x", due)).rejects.toThrow(message);
  });
});

describe("stats", () => {
  test("of an empty queue", async () => {
    const { queue } = testQueue();
    expect(await queue.stats()).toEqual({
      delayed: 0,
      due: 0,
      processing: 0,
      dead: 0,
      oldestDueAgeMs: undefined,
      paused: false,
      waitingWorkers: 0,
      totals: {
        enqueued: 0,
        completed: 0,
        retried: 0,
        expired: 0,
        buried: 0,
        redriven: 0,
        cancelled: 0,
        purged: 0,
      },
    });
  });

  test("tell the age of the oldest due job", async () => {
    const { queue, passTime } = testQueue<number>();
    await queue.enqueue(1, { delayMs: 1_000 });
    await passTime(61_000);
    const { oldestDueAgeMs } = await queue.stats();
    expect(oldestDueAgeMs).toBeGreaterThanOrEqual(60_000 - 10);
    expect(oldestDueAgeMs).toBeLessThan(120_000);
  });
});

describe("pause", () => {
  test("stops claims, not enqueueing, and can be repeated", async () => {
    const { queue } = testQueue<number>();
    await queue.enqueue(1);
    await queue.pause();
    await queue.pause();
    await queue.enqueue(2);
    expect(await queue.claim({ max: 10 })).toEqual([]);
    await queue.resume();
    await queue.resume();
    expect(await queue.claim({ max: 10 })).toHaveLength(2);
  });
});

describe("dead letters", () => {
  async function withDead(count: number) {
    const test = testQueue<number>();
    await test.queue.enqueueMany(
      Array.from({ length: count }, (_, n) => ({
        data: n,
        id: `job-${String(n).padStart(4, "0")}`,
      })),
    );
    for (let left = count; left > 0; left -= 100) {
      const deliveries = await test.queue.claim({ max: 100 });
      await Promise.all(deliveries.map((delivery) => delivery.bury(`bad ${delivery.data}`)));
    }
    return test;
  }

  test("are listed in pages, oldest first, each once", async () => {
    const { queue } = await withDead(250);
    const seen: number[] = [];
    let cursor: string | undefined;
    do {
      const page = await queue.dead.list({
        limit: 60,
        ...(cursor === undefined ? {} : { cursor }),
      });
      seen.push(...page.jobs.map(({ data }) => data!));
      cursor = page.cursor;
    } while (cursor !== undefined);
    expect(seen.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 250 }, (_, n) => n));
  });

  test("a page's end may have been redriven meanwhile: nothing is left out", async () => {
    const { queue } = await withDead(30);
    const first = await queue.dead.list({ limit: 10 });
    await queue.dead.redrive({ ids: first.jobs.map(({ id }) => id) });
    const rest = await queue.dead.list({ limit: 100, cursor: first.cursor! });
    expect(rest.jobs).toHaveLength(20);
  });

  test("are redriven by id or by number, with their attempts back to 0", async () => {
    const { queue } = await withDead(230);
    expect(await queue.dead.redrive({ ids: ["job-0003", "none", "job-0003"] })).toBe(1);
    expect(await queue.get("job-0003")).toMatchObject({
      state: "due",
      failedAttempts: 0,
      lastError: undefined,
    });
    expect(await queue.dead.redrive({ limit: 150 })).toBe(150);
    expect(await queue.stats()).toMatchObject({ dead: 79, due: 151, totals: { redriven: 151 } });
    expect(await queue.dead.redrive({ limit: 1_000 })).toBe(79);
    expect(await queue.dead.redrive({ limit: 1_000 })).toBe(0);
  });

  test("are purged by id, by number and by age, with their payloads", async () => {
    const { queue, redis, keys } = await withDead(120);
    expect(await queue.dead.purge({ limit: 5, diedBefore: new Date(Date.now() - 600_000) })).toBe(
      0,
    );
    expect(await queue.dead.purge({ ids: ["job-0000"] })).toBe(1);
    expect(await queue.dead.purge({ limit: 19, diedBefore: new Date(Date.now() + 600_000) })).toBe(
      19,
    );
    expect(await queue.dead.purge({ limit: 10_000 })).toBe(100);
    expect(await redis.exists(keys.jobs, keys.dead, keys.attempts, keys.errors)).toBe(0);
    expect((await queue.stats()).totals).toMatchObject({ enqueued: 120, buried: 120, purged: 120 });
  });

  test.each([
    [{}, "either ids or limit"],
    [{ ids: ["a"], limit: 1 }, "either ids or limit"],
    [{ limit: 0 }, "limit is 0"],
    [{ ids: "a" as never }, "an array of ids"],
    [{ ids: [""] }, 'id is ""'],
    [{ ids: ["a"], diedBefore: new Date() }, "together with limit"],
    [{ limit: 1, diedBefore: 5 as never }, "a valid Date"],
  ])("a selection must be clear: %j", async (selection, message) => {
    const { queue } = testQueue();
    await expect(queue.dead.redrive(selection)).rejects.toThrow(message);
    await expect(queue.dead.purge(selection)).rejects.toThrow(message);
  });

  test("a cursor must be one of list's", async () => {
    const { queue } = testQueue();
    await expect(queue.dead.list({ cursor: "nonsense" })).rejects.toThrow(
      "a cursor that list returned",
    );
  });
});
