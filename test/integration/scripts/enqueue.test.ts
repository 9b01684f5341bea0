import { randomBytes } from "node:crypto";
import { describe, expect, it } from "vitest";
import {
  ENQUEUE_BATCH_BYTES,
  ENQUEUE_BATCH_JOBS,
  MAX_DURATION_MS,
  MAX_TIME_MS,
} from "../../../src/core/model/limits.ts";
import type { RedisArgument } from "../../../src/core/store/client.ts";
import { enqueue } from "../../../src/scripts/generated.ts";
import { rawRedis } from "../../helpers/redis.ts";
import {
  expectWithin,
  HOSTILE_IDS,
  manyIds,
  openQueue,
  type TestQueue,
} from "../../helpers/script-harness.ts";
import {
  hearWakes,
  itKeepsTheRulesOfWaking,
  itWakesNobodyWhilePaused,
  itWakesByTheDueTime,
  type WakingCall,
} from "../../helpers/script-wakes.ts";

function add(queue: TestQueue, ...list: RedisArgument[]): Promise<unknown> {
  return queue.run(enqueue, { wakeChannel: queue.wakeChannel, dataVersion: 1, shards: 1 }, list);
}

describe("enqueue", () => {
  it("stores the job and its due time, and once more answers as the first time", async () => {
    const queue = openQueue();
    const call = () => add(queue, "a", "envelope", "+5000", "b", "", "1700000000123");

    const { reply, changes, from, to } = await queue.watch(call);
    const due = Number(changes.delayed?.["a"]);
    expectWithin(due, from + 5_000, to + 5_000);
    expect(reply).toEqual([1, due, 1, 1_700_000_000_123]);
    expect(changes).toEqual({
      delayed: { a: String(due), b: "1700000000123" },
      jobs: { a: "envelope", b: "" },
      meta: { version: "1", shards: "1", enqueued: "2" },
    });

    await queue.moveTime(1_000);
    const again = await queue.watch(call);
    expect(again.reply).toEqual([1, due - 1_000, 1, 1_700_000_000_123 - 1_000]);
    expect(again.changes).toEqual({});
  });

  it.each(["+0", "0", "1", "1700000000123", `+${MAX_DURATION_MS}`, "9007199254740001"])(
    "keeps the due time %s to the millisecond",
    async (dueText) => {
      const queue = openQueue();
      const { reply, changes, from, to } = await queue.watch(() => add(queue, "a", "{}", dueText));
      const isDelay = dueText.startsWith("+");
      const due = (reply as number[])[1];
      expectWithin(
        due,
        Number(dueText) + (isDelay ? from : 0),
        Number(dueText) + (isDelay ? to : 0),
      );
      expect(changes.delayed).toEqual({ a: String(due) });
    },
  );

  it("stores the latest time that there is, to the millisecond", async () => {
    const queue = openQueue();
    await add(queue, "a", "{}", String(MAX_TIME_MS));
    expect(await queue.part("delayed")).toEqual(new Map([["a", String(MAX_TIME_MS)]]));
  });

  it("answers a resend as created, with a due time in the past once it was claimed", async () => {
    const queue = openQueue();
    await queue.plantHeld("held", 7, 30_000, { envelope: "same" });
    await queue.plantDead("dead", 0, { envelope: "same" });
    await queue.client.hset(queue.keys.meta, "enqueued", 2);
    const { reply, changes, from, to } = await queue.watch(() =>
      add(queue, "held", "same", "+5000", "dead", "same", "1700000000123"),
    );
    const [heldStatus, heldDue, ...dead] = reply as number[];
    expect([heldStatus, ...dead]).toEqual([1, 1, 1_700_000_000_123]);
    expectWithin(heldDue, from, to);
    expect(changes).toEqual({});
  });

  it("writes also where it adds nothing, so that WAIT has something to wait for", async () => {
    const queue = openQueue();
    await add(queue, "a", "same", "+0");
    const watcher = rawRedis();
    await watcher.watch(queue.keys.meta);
    expect(await add(queue, "a", "same", "+0")).toMatchObject({ 0: 1 });
    const answer = await watcher.multi().hlen(queue.keys.meta).exec();
    expect(answer).toBeNull(); // Redis saw `meta` written
  });

  it("leaves an id alone that another job has, wherever that is", async () => {
    const queue = openQueue();
    const due = await queue.plantDelayed("delayed", 60_000, { attempts: 1, error: "boom" });
    const dueBefore = await queue.plantDelayed("due", -60_000);
    await queue.plantHeld("held", 7);
    await queue.plantDead("dead");
    await queue.client.hset(queue.keys.meta, "enqueued", 4);
    const ids = ["delayed", "due", "held", "dead"];
    const { reply, changes } = await queue.watch(() =>
      add(queue, ...ids.flatMap((id) => [id, `another envelope of ${id}`, "+0"])),
    );
    expect(reply).toEqual([0, due, 0, dueBefore, 0, -1, 0, -1]);
    expect(changes).toEqual({});
  });

  it("takes the first of several jobs that share an id in one call", async () => {
    const queue = openQueue();
    const { reply, changes } = await queue.watch(() =>
      add(queue, "a", "one", "2000", "a", "one", "9000", "a", "two", "1000", "b", "x", "3000"),
    );
    expect(reply).toEqual([1, 2_000, 1, 2_000, 0, 2_000, 1, 3_000]);
    expect(changes).toEqual({
      delayed: { a: "2000", b: "3000" },
      jobs: { a: "one", b: "x" },
      meta: { version: "1", shards: "1", enqueued: "2" },
    });
  });

  it("counts only what is new, and leaves the data version of a queue in use", async () => {
    const queue = openQueue();
    await queue.client.hset(queue.keys.meta, "version", 1, "enqueued", 41);
    await queue.plantDelayed("old", 60_000, { envelope: "same" });
    const args = { wakeChannel: queue.wakeChannel, dataVersion: 2, shards: 1 };
    const list = ["old", "same", "+0", "old", "other", "+0", "new", "{}", "+0"];
    const { changes } = await queue.watch(() => queue.run(enqueue, args, list));
    expect(changes.meta).toEqual({ enqueued: "42" });
    expect(changes.jobs).toEqual({ new: "{}" });
  });

  it("notes version and shards again where they were lost", async () => {
    const queue = openQueue();
    await queue.client.hset(queue.keys.meta, "enqueued", 41);
    const { changes } = await queue.watch(() => add(queue, "a", "{}", "+0"));
    expect(changes.meta).toEqual({ version: "1", shards: "1", enqueued: "42" });
  });

  it("stores nothing where the queue is spread over another number of shards", async () => {
    const queue = openQueue();
    await queue.client.hset(queue.keys.meta, "shards", 4);
    for (const _ of ["first", "again"]) {
      const { reply, changes } = await queue.watch(() => add(queue, "a", "{}", "+0"));
      expect(reply).toEqual([-1, "4"]);
      expect(changes).toEqual({});
    }
    const args = { wakeChannel: queue.wakeChannel, dataVersion: 1, shards: 4 };
    const { changes } = await queue.watch(() => queue.run(enqueue, args, ["a", "{}", "+0"]));
    expect(changes.jobs).toEqual({ a: "{}" });
    expect(changes.meta).toEqual({ version: "1", enqueued: "1" });
  });

  it("goes on while the queue is paused", async () => {
    const queue = openQueue();
    await queue.client.hset(queue.keys.meta, "paused", 1);
    expect(await add(queue, "a", "{}", "5")).toEqual([1, 5]);
  });

  it("takes any id", async () => {
    const queue = openQueue();
    const list = HOSTILE_IDS.flatMap((id, index) => [id, `envelope of ${id}`, `${index}`]);
    const expected = HOSTILE_IDS.flatMap((_, index) => [1, index]);
    expect(await add(queue, ...list)).toEqual(expected);
    const { jobs, delayed } = await queue.snapshot();
    const entries = HOSTILE_IDS.map((id) => [id, `envelope of ${id}`] as const);
    expect(jobs.entries).toEqual(new Map(entries));
    expect(delayed.entries).toEqual(new Map(HOSTILE_IDS.map((id, index) => [id, `${index}`])));
    const again = await queue.watch(() => add(queue, ...list));
    expect(again.reply).toEqual(expected);
    expect(again.changes).toEqual({});
  });

  it("keeps the bytes of the largest envelope", async () => {
    const queue = openQueue();
    const envelope = randomBytes(ENQUEUE_BATCH_BYTES);
    expect(await add(queue, "a", envelope, "5", "b", Buffer.from([0]), "6")).toEqual([1, 5, 1, 6]);
    const stored = await queue.client.hgetBuffer(queue.keys.jobs, "a");
    expect(stored?.equals(envelope)).toBe(true);
    expect(await add(queue, "a", envelope, "7")).toEqual([1, 5]);
    envelope[0]! ^= 1;
    expect(await add(queue, "a", envelope, "7")).toEqual([0, 5]);
  });

  it("takes the largest batch", async () => {
    const queue = openQueue();
    const ids = manyIds(ENQUEUE_BATCH_JOBS);
    const list = ids.flatMap((id, index) => [id, `envelope of ${id}`, `${index}`]);
    const expected = ids.flatMap((_, index) => [1, index]);
    expect(await add(queue, ...list)).toEqual(expected);
    const again = await queue.watch(() => add(queue, ...list));
    expect(again.reply).toEqual(expected);
    expect(again.changes).toEqual({});
    expect((await queue.part("meta")).get("enqueued")).toBe(String(ids.length));
    expect((await queue.part("delayed")).size).toBe(ids.length);
  });
});

describe("enqueue wakes", () => {
  const waking: WakingCall = {
    prepare: async () => {},
    call: (queue, wakeChannel, dueInMs) =>
      queue.run(enqueue, { wakeChannel, dataVersion: 1, shards: 1 }, ["a", "{}", `+${dueInMs}`]),
  };
  itKeepsTheRulesOfWaking(waking);
  itWakesNobodyWhilePaused(waking);
  itWakesByTheDueTime(waking);

  it("nobody for a resend or a duplicate", async () => {
    const queue = openQueue();
    await queue.plantDelayed("a", 0, { envelope: "same" });
    await queue.client.hset(queue.keys.meta, "enqueued", 1);
    await queue.plantWaiting("w1", 50_000);
    const wakes = await hearWakes(queue, ["w1"]);
    const { changes } = await queue.watch(() => add(queue, "a", "same", "+0", "a", "other", "+0"));
    expect(await wakes.woken()).toEqual([]);
    expect(changes).toEqual({});
  });

  it("one worker for a whole batch, by its earliest job", async () => {
    const queue = openQueue();
    await queue.plantWaiting("w1", 50_000);
    await queue.plantWaiting("w2", 55_000);
    const wakes = await hearWakes(queue, ["w1", "w2"]);
    await add(queue, "a", "{}", "+80000", "b", "{}", "+10000", "c", "{}", "+90000");
    expect(await wakes.woken()).toEqual(["w1"]);
  });

  it("nobody else for the next job while the woken one is on its way", async () => {
    const queue = openQueue();
    await queue.plantWaiting("w1", 50_000);
    const wakes = await hearWakes(queue, ["w1"]);
    await add(queue, "a", "{}", "+0");
    await add(queue, "b", "{}", "+0");
    expect(await wakes.woken()).toEqual(["w1"]);
  });
});
