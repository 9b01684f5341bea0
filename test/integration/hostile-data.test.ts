/** What stands in Redis was written by something else: each job ends dead or done, and the worker goes on. */
import type { Redis } from "ioredis";
import { describe, expect, test } from "vitest";
import { type Codec, type Job } from "../../src/index.ts";
import type { QueueKeys } from "../../src/core/store/keys.ts";
import { BROKEN_ENVELOPES, ODD_ENVELOPES } from "../helpers/hostile-envelopes.ts";
import { testQueue } from "../helpers/holdfast.ts";
import { failOnLeaks } from "../helpers/leak-check.ts";
import { waitFor } from "../helpers/wait-for.ts";
import { watchedWorker } from "../helpers/watched-worker.ts";

failOnLeaks();

const binaryJson: Codec = {
  binary: true,
  encode: (data) => Buffer.from(JSON.stringify(data)),
  decode: (bytes) => JSON.parse(Buffer.from(bytes).toString()) as unknown,
};

async function plant(redis: Redis, keys: QueueKeys, jobs: Record<string, string | Buffer>) {
  for (const [id, envelope] of Object.entries(jobs)) {
    await redis.hset(keys.jobs, id, envelope);
    await redis.zadd(keys.delayed, 1, id);
  }
}

describe.each<[string, { codec?: Codec }]>([
  ["a text", {}],
  ["bytes", { codec: binaryJson }],
])("envelopes of no release, read as %s", (_, options) => {
  test("are buried with the reason, or delivered as what they say", async () => {
    const { queue, redis, keys } = testQueue(options);
    await plant(redis, keys, { ...BROKEN_ENVELOPES, ...ODD_ENVELOPES });
    await queue.enqueue("good", { id: "good" });
    const members = Reflect.ownKeys(Object.prototype);
    const { worker, seen } = watchedWorker(queue, (job: Job<unknown>) => {
      // As a handler or a logger might.
      for (const [name, value] of Object.entries(job.headers))
        expect(`${name}${value}`).toBeTypeOf("string");
      expect([job.enqueuedAt, job.dueAt].every((date) => date instanceof Date)).toBe(true);
      expect((job.data as Record<string, unknown>)["polluted"]).toBeUndefined();
    });
    await worker.start();
    const broken = Object.keys(BROKEN_ENVELOPES);
    const odd = Object.keys(ODD_ENVELOPES);
    await waitFor(
      () => seen.dead.length + seen.completed.length === broken.length + odd.length + 1,
    );
    expect(seen.dead.map(({ id }) => id).toSorted()).toEqual(broken.toSorted());
    expect(seen.completed.map(({ job }) => job.id).toSorted()).toEqual([...odd, "good"].toSorted());
    for (const { reason, job } of seen.dead) {
      expect(job).toBeUndefined();
      expect(reason).toMatch(/^PayloadError: .*envelope/);
    }
    const { jobs } = await queue.dead.list({ limit: 100 });
    expect(
      jobs.every(({ damage, data }) => damage!.includes("envelope") && data === undefined),
    ).toBe(true);
    expect({ errors: seen.error, retried: seen.retried }).toEqual({ errors: [], retried: [] });
    expect(worker.health().healthy).toBe(true);
    // They were not counted when they came: the totals cannot add up.
    const { breaches } = await queue.verify();
    expect(breaches.filter(({ kind }) => kind !== "queue")).toEqual([]);
    expect(Reflect.ownKeys(Object.prototype)).toEqual(members);
  });
});

describe("counts of attempts that are none", () => {
  test.each(["many", "", "NaN", "-5", "1e999", "1.5e-3", "9".repeat(400)])(
    "%j counts as 0: the job is retried, buried, and taken over from a dead worker",
    async (count) => {
      const { queue, redis, keys, passTime } = testQueue<string>();
      await queue.enqueueMany(["retried", "buried", "expired"].map((id) => ({ data: "x", id })));
      const held = new Map((await queue.claim({ max: 3 })).map((each) => [each.id, each]));
      for (const id of held.keys()) await redis.hset(keys.attempts, id, count);
      expect(await held.get("retried")!.nack({ delayMs: 600_000 })).toBe("done");
      expect(await held.get("buried")!.bury("bad")).toBe("done");
      // Expired the second time in a row: the count then says how long it waits.
      await redis.hset(keys.errors, "expired", "lease expired: its worker stopped extending it");
      await passTime(60_000);
      await queue.claim();
      expect(await redis.hgetall(keys.attempts)).toEqual({
        retried: "1",
        buried: "1",
        expired: "1",
      });
      expect(await queue.stats()).toMatchObject({ processing: 0, dead: 1 });
      expect(await queue.verify()).toMatchObject({ isSound: true, jobs: 3 });
    },
  );
});

test("a token that is none is replaced by one that holds", async () => {
  const { queue, redis, keys } = testQueue<string>();
  for (const token of ["many", "NaN", "-5", "1e999", "1e300"]) {
    await queue.enqueue("x");
    await redis.hset(keys.meta, "token", token);
    const [held] = await queue.claim();
    expect(Number.isSafeInteger(held!.fencingToken)).toBe(true);
    await held!.extend();
    expect(await held!.ack()).toBe("done");
  }
});
