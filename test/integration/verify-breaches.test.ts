/** Each breach that can be planted is found, told once, and mended; none costs a payload. */
import { expect, test } from "vitest";
import type { BreachKind } from "../../src/index.ts";
import { type TestQueue, testQueue } from "../helpers/holdfast.ts";
import { failOnLeaks } from "../helpers/leak-check.ts";

failOnLeaks();

const noCounts = { orphan: 0, double: 0, dangling: 0, malformed: 0, queue: 0 };

interface Planted {
  readonly name: string;
  readonly kind: BreachKind;
  /** Breaches the job x, which is stored and delayed, or something beside it. */
  readonly plant: (test: TestQueue<string, string>) => Promise<unknown>;
  /** The breached id; x unless given, undefined for the queue itself. */
  readonly id?: string | undefined;
  readonly details: readonly string[];
  /** Where x is after mending; delayed unless given. */
  readonly state?: "due" | "processing" | "dead";
}

const later = () => Date.now() + 600_000;

const planted: readonly Planted[] = [
  {
    name: "a job in no place",
    kind: "orphan",
    details: [],
    plant: ({ redis, keys }) => redis.zrem(keys.delayed, "x"),
    state: "due",
  },
  {
    name: "a job delayed and held",
    kind: "double",
    details: ["lease 7", "delayed"],
    plant: ({ redis, keys }) => redis.zadd(keys.processing, later(), "x:7"),
    state: "processing",
  },
  {
    name: "a job delayed and dead",
    kind: "double",
    details: ["delayed", "dead"],
    plant: ({ redis, keys }) => redis.zadd(keys.dead, 1, "x"),
  },
  {
    name: "a job held and dead",
    kind: "double",
    details: ["lease 7", "dead"],
    async plant({ redis, keys }) {
      await redis.zrem(keys.delayed, "x");
      await redis.zadd(keys.dead, 1, "x");
      await redis.zadd(keys.processing, later(), "x:7");
    },
    state: "processing",
  },
  {
    name: "a job under two tokens",
    kind: "double",
    details: ["lease 10", "lease 9"],
    async plant({ redis, keys }) {
      await redis.zrem(keys.delayed, "x");
      await redis.zadd(keys.processing, later(), "x:9", later(), "x:10");
    },
    state: "processing",
  },
  {
    name: "a job in all three places",
    kind: "double",
    details: ["lease 7", "delayed", "dead"],
    async plant({ redis, keys }) {
      await redis.zadd(keys.dead, 1, "x");
      await redis.zadd(keys.processing, later(), "x:7");
    },
    state: "processing",
  },
  {
    name: "a delayed id without a job",
    kind: "dangling",
    id: "lost",
    details: ["delayed"],
    plant: ({ redis, keys }) => redis.zadd(keys.delayed, later(), "lost"),
  },
  {
    name: "a lease without a job",
    kind: "dangling",
    id: "lost",
    details: ["lease 7"],
    plant: ({ redis, keys }) => redis.zadd(keys.processing, later(), "lost:7"),
  },
  {
    name: "two leases without a job",
    kind: "dangling",
    id: "lost",
    details: ["lease 8", "lease 7"],
    plant: ({ redis, keys }) => redis.zadd(keys.processing, later(), "lost:7", later(), "lost:8"),
  },
  {
    name: "a dead letter without a job",
    kind: "dangling",
    id: "lost",
    details: ["dead"],
    plant: ({ redis, keys }) => redis.zadd(keys.dead, 1, "lost"),
  },
  {
    name: "attempts without a job",
    kind: "dangling",
    id: "lost",
    details: ["attempts"],
    plant: ({ redis, keys }) => redis.hset(keys.attempts, "lost", 2),
  },
  {
    name: "an error without a job",
    kind: "dangling",
    id: "lost",
    details: ["errors"],
    plant: ({ redis, keys }) => redis.hset(keys.errors, "lost", "boom"),
  },
  {
    name: "entries everywhere without a job, told once",
    kind: "dangling",
    id: "lost",
    details: ["lease 7", "delayed", "dead", "attempts", "errors"],
    async plant({ redis, keys }) {
      await redis.zadd(keys.delayed, later(), "lost");
      await redis.zadd(keys.processing, later(), "lost:7");
      await redis.zadd(keys.dead, 1, "lost");
      await redis.hset(keys.attempts, "lost", 2);
      await redis.hset(keys.errors, "lost", "boom");
    },
  },
  {
    name: "an id of bytes that are no text, without a job",
    kind: "dangling",
    id: "\ufffd\ufffd",
    details: ["dead"],
    plant: ({ redis, keys }) => redis.zadd(keys.dead, 1, Buffer.from([0xff, 0xfe])),
  },
  {
    name: "a lease without a token, of no job",
    kind: "dangling",
    id: "nonsense",
    details: ["lease without a token"],
    plant: ({ redis, keys }) => redis.zadd(keys.processing, later(), "nonsense"),
  },
  {
    name: "a lease without a token, of a job that is elsewhere",
    kind: "malformed",
    details: ["delayed", "lease without a token"],
    plant: ({ redis, keys }) => redis.zadd(keys.processing, later(), "x"),
  },
  {
    name: "a lease without a token, of a job in no place",
    kind: "orphan",
    details: ["lease without a token"],
    async plant({ redis, keys }) {
      await redis.zrem(keys.delayed, "x");
      await redis.zadd(keys.processing, later(), "x");
    },
    state: "due",
  },
  {
    name: "attempts that are no number",
    kind: "malformed",
    details: ["delayed", "attempts that are no number"],
    plant: ({ redis, keys }) => redis.hset(keys.attempts, "x", "many"),
  },
  {
    name: "totals that do not add up",
    kind: "queue",
    id: undefined,
    details: ["enqueued is 7, but completed, cancelled, purged and stored jobs are 2"],
    plant: ({ redis, keys }) => redis.hset(keys.meta, "enqueued", 7),
  },
  {
    name: "a total that is no number",
    kind: "queue",
    id: undefined,
    details: ["purged in meta is no whole number"],
    plant: ({ redis, keys }) => redis.hset(keys.meta, "purged", "many"),
  },
  {
    name: "a token counter that is no number",
    kind: "queue",
    id: undefined,
    details: ["token in meta is no whole number"],
    plant: ({ redis, keys }) => redis.hset(keys.meta, "token", "1e300"),
  },
  {
    name: "a key with a time to live",
    kind: "queue",
    id: undefined,
    details: ["jobs has a time to live"],
    plant: ({ redis, keys }) => redis.expire(keys.jobs, 3_600),
  },
];

test.each(planted)("$name", async (breach) => {
  const test = testQueue<string>();
  const { queue } = test;
  await queue.enqueue("data of x", { id: "x", delayMs: 60_000 });
  await queue.enqueue("data of y", { id: "y" });
  await breach.plant(test);

  const { kind, details } = breach;
  const id = "id" in breach ? breach.id : "x";
  const expected = {
    isSound: false,
    isComplete: true,
    jobs: 2,
    breachCount: 1,
    breachCounts: { ...noCounts, [kind]: 1 },
    breaches: [{ id, kind, details, isMended: false }],
    unknownCount: 0,
  };
  expect(await queue.verify()).toEqual(expected);
  expect(await queue.verify()).toEqual(expected);

  const mended = { ...expected, breaches: [{ id, kind, details, isMended: true }] };
  expect(await queue.verify({ repair: true })).toEqual(mended);
  expect(await queue.verify()).toEqual({
    ...expected,
    isSound: true,
    breachCount: 0,
    breachCounts: noCounts,
    breaches: [],
  });
  const state = breach.state ?? "delayed";
  expect(await queue.get("x")).toMatchObject({ state, data: "data of x" });
  expect(await queue.get("y")).toMatchObject({ state: "due", data: "data of y" });
});
