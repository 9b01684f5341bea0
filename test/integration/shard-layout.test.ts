/** The number of a queue's shards is the same for every process, and changes only without a job at stake. */
import keySlot from "cluster-key-slot";
import { describe, expect, onTestFinished, test } from "vitest";
import { queueKeys, shardOfId, shardTags } from "../../src/core/store/keys.ts";
import { IncompatibleDataError, Queue, Worker } from "../../src/index.ts";
import { failOnLeaks } from "../helpers/leak-check.ts";
import { rawRedis, testConnection, uniqueName } from "../helpers/redis.ts";

failOnLeaks();

function layouts() {
  const name = uniqueName("layout");
  const redis = rawRedis();
  const keysOf = (shards: number) =>
    shardTags(name, shards).map((tag) => queueKeys("holdfast", tag));
  onTestFinished(async () => {
    const shards = [1, 2, 3, 4, 5].flatMap(keysOf);
    await Promise.all(shards.map((keys) => redis.del(Object.values(keys))));
  });
  /** As a process of its own has it, that names this number. */
  const open = (shards?: number) => {
    const connection = testConnection();
    const queue = new Queue<string>(name, shards ? { connection, shards } : { connection });
    onTestFinished(() => queue.close());
    return queue;
  };
  const notes = async (shards: number) =>
    new Set(await Promise.all(keysOf(shards).map(({ meta }) => redis.hget(meta, "shards"))));
  return { name, redis, keysOf, open, notes };
}

async function drain(queue: Queue<string>): Promise<void> {
  for (const delivery of await queue.claim({ max: 100 })) await delivery.ack();
}

describe("the tags of the shards", () => {
  test("lie in one equal range of cluster slots each", () => {
    for (const shards of [2, 3, 6, 16, 256]) {
      const tags = shardTags("any queue", shards);
      const ranges = tags.map((tag) => Math.floor((keySlot(tag) * shards) / 16_384));
      expect(ranges).toEqual(Array.from({ length: shards }, (_, index) => index));
      expect(tags.every((tag) => /^any queue\/\d+$/.test(tag))).toBe(true);
    }
    expect(shardTags("any queue", 1)).toEqual(["any queue"]);
  });

  test("and the shard of an id stay the same in every release", () => {
    expect(shardTags("emails", 3)).toMatchInlineSnapshot(`
      [
        "emails/0",
        "emails/2",
        "emails/3",
      ]
    `);
    expect(["a", "job 2", "😀"].map((id) => shardOfId(id, 1_000))).toMatchInlineSnapshot(`
      [
        907,
        56,
        756,
      ]
    `);
  });
});

describe.each([
  [1, 4],
  [4, 1],
  [2, 5],
  [5, 2],
] as const)("from %i to %i shards", (before, after) => {
  test("is refused while a job is left, wherever it is, and works without one", async () => {
    const { open, notes } = layouts();
    const old = open(before);
    for (const id of ["a", "b", "c", "d", "e", "f", "g"]) {
      await old.enqueue("x", { id });
      const refusal = open(after).enqueue("y");
      await expect(refusal).rejects.toThrow(IncompatibleDataError);
      await expect(open(after).stats()).rejects.toThrow(
        new RegExp(`over ${before} shards? and holds 1 job: drain it .* to ${after}, or set`),
      );
      const worker = new Worker(open(after), () => undefined);
      await expect(worker.start()).rejects.toThrow(IncompatibleDataError);
      await worker.close();
      await drain(old);
    }
    expect(await notes(before)).toContain(String(before));

    await Promise.all([open(after).enqueue("z", { id: "z" }), open(after).stats()]);
    expect(await notes(after)).toEqual(new Set([String(after)]));
    expect((await open(after).get("z"))?.data).toBe("z");

    // A producer of before still runs: its jobs would lie where nobody looks.
    const late = old.enqueue("late", { id: "late" });
    await expect(late).rejects.toThrow(new RegExp(`spread over ${after} shards? since .* started`));
    await expect(open(before).stats()).rejects.toThrow(IncompatibleDataError);
  });

  test("is completed by the next process where one died halfway", async () => {
    const { redis, keysOf, open } = layouts();
    await open(before).enqueue("x");
    await drain(open(before));
    const half = keysOf(before)[0]!;
    await redis.hset(half.meta, "shards", after);
    await open(after).enqueue("y");
    expect(await open(after).stats()).toMatchObject({ due: 1 });

    // And back, after another one.
    await drain(open(after));
    await redis.hset(keysOf(after)[0]!.meta, "shards", before);
    await open(before).enqueue("z");
    expect(await open(before).stats()).toMatchObject({ due: 1 });
  });

  test("goes either way where a process died in between", async () => {
    const { name, redis, keysOf, open, notes } = layouts();
    await open(before).enqueue("x");
    await drain(open(before));
    const home = queueKeys("holdfast", name).meta;
    for (const [number, other] of [
      [after, before],
      [before, after],
    ] as const) {
      const mark = `${other}:dead`;
      await redis.hset(home, "shards", mark);
      await redis.hset(keysOf(other)[0]!.meta, "shards", mark);
      await open(number).enqueue("y");
      expect(await notes(number)).toEqual(new Set([String(number)]));
      await drain(open(number));
    }
  });
});

test("a shard that a dead process marked is taken back, and jobs in the others stay", async () => {
  const { redis, keysOf, open, notes } = layouts();
  const running = open(3);
  const ids = ["a", "b", "c", "d", "e", "f", "g"];
  await Promise.all(ids.map((id) => running.enqueue("x", { id })));
  const [first] = keysOf(3);
  const inFirst = await redis.hkeys(first!.jobs);
  await Promise.all(inFirst.map((id) => running.cancel(id)));
  await redis.hset(first!.meta, "shards", "3:dead");

  // A producer that runs on takes the mark away itself.
  await running.enqueue("y", { id: inFirst[0]! });
  expect(await notes(3)).toEqual(new Set(["3"]));
  expect((await open(3).stats()).due).toBe(ids.length - inFirst.length + 1);
});

test("a queue of one shard that a dead process marked is taken back by a producer that runs on", async () => {
  const { redis, keysOf, open } = layouts();
  const running = open(1);
  await running.enqueue("x", { id: "a" });
  await drain(running);
  await redis.hset(keysOf(1)[0]!.meta, "shards", "1:dead");
  await running.enqueueMany([{ data: "y" }, { data: "z" }]);
  expect((await open().stats()).due).toBe(2);
});

test("a producer that runs on does not change the number back", async () => {
  const { open, notes } = layouts();
  const running = open(3);
  await running.enqueue("x", { id: "a" });
  await drain(running);
  await open(5).stats();
  for (const id of ["a", "b", "c", "d", "e", "f"]) {
    await expect(running.enqueue("y", { id })).rejects.toThrow("over 5 shards since this process");
  }
  expect(await notes(5)).toEqual(new Set(["5"]));
});

test("processes that name one new number at the same time agree", async () => {
  const { open, notes } = layouts();
  await open(2).enqueue("x");
  await drain(open(2));
  const ids = Array.from({ length: 8 }, (_, index) => `${index}`);
  await Promise.all(ids.map((id) => open(5).enqueue("x", { id })));
  expect(await notes(5)).toEqual(new Set(["5"]));
  expect((await open(5).stats()).due).toBe(8);
});

test.each([
  ["a new queue", undefined],
  ["a drained queue", 1],
  ["a drained queue", 4],
] as const)(
  "of processes that spread %s (%s shards) at the same time one has its way",
  async (_, before) => {
    for (let round = 0; round < 10; round += 1) {
      const { open } = layouts();
      if (before) {
        const old = open(before);
        await old.enqueue("x");
        await drain(old);
      }
      const ids = ["a", "b", "c", "d", "e", "f", "g", "h"];
      const stored = new Map<number, number>();
      const enqueueAll = async (shards: number) => {
        const queue = open(shards);
        const results = await Promise.allSettled(ids.map((id) => queue.enqueue("x", { id })));
        for (const result of results) {
          if (result.status === "fulfilled") stored.set(shards, (stored.get(shards) ?? 0) + 1);
          else expect(result.reason).toBeInstanceOf(IncompatibleDataError);
        }
      };
      await Promise.all([2, 3, 5].map(enqueueAll));
      expect([...stored.keys()].length).toBeLessThan(2);
    }
  },
);

test("jobs of a queue that has no number noted are those of one shard", async () => {
  const { redis, keysOf, open } = layouts();
  await open().enqueue("x");
  await redis.hdel(keysOf(1)[0]!.meta, "shards");
  await expect(open(3).stats()).rejects.toThrow("is spread over 1 shard and holds 1 job");
  expect((await open().stats()).due).toBe(1);
});

test("a number that cannot be one of holdfast's is refused", async () => {
  const { redis, keysOf, open } = layouts();
  await redis.hset(keysOf(1)[0]!.meta, "shards", 1_000_000);
  await expect(open(3).stats()).rejects.toThrow('says that it has "1000000" shards');
});
