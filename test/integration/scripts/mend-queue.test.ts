import { describe, expect, it } from "vitest";
import { enqueue, mendQueue } from "../../../src/scripts/generated.ts";
import type { KeyPart } from "../../../src/core/store/keys.ts";
import { openQueue, type TestQueue } from "../../helpers/script-harness.ts";

async function withJobs(): Promise<TestQueue> {
  const queue = openQueue();
  const args = { wakeChannel: "", dataVersion: 1, shards: 1 };
  await queue.run(enqueue, args, ["a", "envelope", "+0", "b", "envelope", "+0"]);
  return queue;
}

/** Looks, which must change nothing; mends; and looks again, which must find nothing. */
async function lookAndMend(queue: TestQueue, texts: readonly string[]) {
  const looked = await queue.watch(() => queue.runOnBreach(mendQueue, { mends: 0 }));
  expect(looked).toMatchObject({ reply: texts, changes: {} });
  expect(looked.changes).toEqual({});
  const mended = await queue.watch(() => queue.run(mendQueue, { mends: 1 }));
  expect(mended.reply).toEqual(texts);
  const again = await queue.watch(() => queue.run(mendQueue, { mends: 1 }));
  expect(again.reply).toEqual([]);
  expect(again.changes).toEqual({});
  return mended.changes;
}

describe("mend-queue", () => {
  it("finds nothing in a new queue, nor in a sound one", async () => {
    expect(await lookAndMend(openQueue(), [])).toEqual({});
    expect(await lookAndMend(await withJobs(), [])).toEqual({});
  });

  it("lets enqueued follow where the totals do not add up", async () => {
    const queue = await withJobs();
    await queue.client.hset(queue.keys.meta, { completed: 3, cancelled: 4, purged: 5, retried: 6 });
    const text = "enqueued is 2, but completed, cancelled, purged and stored jobs are 14";
    expect(await lookAndMend(queue, [text])).toEqual({ meta: { enqueued: "14" } });
  });

  it("does so also where jobs are missing", async () => {
    const queue = await withJobs();
    await queue.client.del(queue.keys.jobs, queue.keys.delayed);
    const text = "enqueued is 2, but completed, cancelled, purged and stored jobs are 0";
    expect(await lookAndMend(queue, [text])).toEqual({ meta: { enqueued: "0" } });
  });

  it.each(["completed", "cancelled", "purged", "retried", "expired", "buried", "redriven"])(
    "counts %s from 0 where it is no whole number",
    async (field) => {
      const queue = await withJobs();
      await queue.client.hset(queue.keys.meta, field, "many");
      const changes = await lookAndMend(queue, [`${field} in meta is no whole number`]);
      expect(changes).toEqual({ meta: { [field]: null } });
    },
  );

  it("restores enqueued where it is no whole number", async () => {
    const queue = await withJobs();
    await queue.client.hset(queue.keys.meta, "enqueued", "1.5");
    const changes = await lookAndMend(queue, [
      "enqueued in meta is no whole number",
      "enqueued is 0, but completed, cancelled, purged and stored jobs are 2",
    ]);
    expect(changes).toEqual({ meta: { enqueued: "2" } });
  });

  it.each(["none", "1e300", "9007199254740994", "-1"])(
    "drops a token counter of %s: the next claim starts from the clock",
    async (token) => {
      const queue = await withJobs();
      await queue.client.hset(queue.keys.meta, "token", token);
      const changes = await lookAndMend(queue, ["token in meta is no whole number"]);
      expect(changes).toEqual({ meta: { token: null } });
    },
  );

  it("takes times to live away, from any of the keys", async () => {
    const queue = await withJobs();
    await queue.plantDead("dead");
    await queue.plantHeld("held", 1, 1_000, { attempts: 1, error: "boom" });
    await queue.plantWaiting("w1", 1_000);
    await queue.client.hset(queue.keys.claims, "w1", "claim");
    await queue.client.hset(queue.keys.meta, "enqueued", 4);
    const parts = Object.keys(queue.keys) as KeyPart[];
    for (const part of parts) await queue.client.pexpire(queue.keys[part], 3_600_000);
    expect(
      await lookAndMend(
        queue,
        parts.map((part) => `${part} has a time to live`),
      ),
    ).toEqual({});
    for (const part of parts) expect(await queue.client.pttl(queue.keys[part])).toBe(-1);
  });
});
