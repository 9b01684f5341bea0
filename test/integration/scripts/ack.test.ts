import { describe, expect, it } from "vitest";
import { SETTLE_BATCH_JOBS } from "../../../src/core/model/limits.ts";
import { ack } from "../../../src/scripts/generated.ts";
import { HOSTILE_IDS, manyIds, openQueue } from "../../helpers/script-harness.ts";

describe("ack", () => {
  it("removes the job and all that is known of it, and once more changes nothing", async () => {
    const queue = openQueue();
    await queue.plantHeld("a", 7, 30_000, { attempts: 2, error: "boom" });
    await queue.plantHeld("other", 7, 30_000, { attempts: 1, error: "bang" });
    const call = () => queue.run(ack, {}, ["a", 7]);

    const { reply, changes } = await queue.watch(call);
    expect(reply).toEqual([1]);
    expect(changes).toEqual({
      processing: { "a:7": null },
      jobs: { a: null },
      attempts: { a: null },
      errors: { a: null },
      meta: { completed: "1" },
    });

    const again = await queue.watch(call);
    expect(again.reply).toEqual([-1]);
    expect(again.changes).toEqual({});
  });

  it.each([
    { known: "no job ever failed", other: {} },
    { known: "only another job has attempts", other: { attempts: 1 } },
    { known: "only another job has an error", other: { error: "bang" } },
  ])("removes a job that never failed where $known", async ({ other }) => {
    const queue = openQueue();
    await queue.plantHeld("a", 7);
    await queue.plantDelayed("other", 60_000, other);
    const { reply, changes } = await queue.watch(() => queue.run(ack, {}, ["a", 7]));
    expect(reply).toEqual([1]);
    expect(changes).toEqual({
      processing: { "a:7": null },
      jobs: { a: null },
      meta: { completed: "1" },
    });
  });

  it.each([
    { part: "attempts", known: { attempts: 1 } },
    { part: "errors", known: { error: "boom" } },
  ] as const)("removes a job that is known in $part alone", async ({ part, known }) => {
    const queue = openQueue();
    await queue.plantHeld("a", 7, 30_000, known);
    const { changes } = await queue.watch(() => queue.run(ack, {}, ["a", 7]));
    expect(changes[part]).toEqual({ a: null });
  });

  it("refuses as stale whatever is not held under this token", async () => {
    const queue = openQueue();
    await queue.plantHeld("held", 8, 30_000, { attempts: 1 });
    await queue.plantDelayed("delayed");
    await queue.plantDead("dead");
    const list = ["held", 7, "held", 80, "held", "08", "held", "", "delayed", 8, "dead", 8];
    const { reply, changes } = await queue.watch(() => queue.run(ack, {}, list));
    expect(reply).toEqual([0, 0, 0, 0, 0, 0]);
    expect(changes).toEqual({});
  });

  it("answers gone for a job that does not exist", async () => {
    const queue = openQueue();
    const { reply, changes } = await queue.watch(() => queue.run(ack, {}, ["a", 1, "b", 1]));
    expect(reply).toEqual([-1, -1]);
    expect(changes).toEqual({});
  });

  it("settles a lease that has ended but was not given back yet", async () => {
    const queue = openQueue();
    await queue.plantHeld("a", 7, -60_000);
    expect(await queue.run(ack, {}, ["a", 7])).toEqual([1]);
  });

  it("treats a lease named twice in one call as two calls would", async () => {
    const queue = openQueue();
    await queue.plantHeld("a", 7);
    await queue.plantHeld("b", 8);
    const list = ["a", 7, "a", 7, "b", 7, "b", 7, "b", 8, "b", 9];
    const { reply, changes } = await queue.watch(() => queue.run(ack, {}, list));
    expect(reply).toEqual([1, -1, 0, 0, 1, -1]);
    expect(changes["meta"]).toEqual({ completed: "2" });
  });

  it("adds to the total", async () => {
    const queue = openQueue();
    await queue.client.hset(queue.keys.meta, "completed", 41, "token", 9);
    await queue.plantHeld("a", 7);
    const { changes } = await queue.watch(() => queue.run(ack, {}, ["a", 7]));
    expect(changes["meta"]).toEqual({ completed: "42" });
  });

  it("tells ids apart that look like leases", async () => {
    const queue = openQueue();
    for (const id of HOSTILE_IDS) {
      await queue.plantHeld(id, 1, 30_000, { attempts: 1, error: "boom" });
    }
    const { reply, changes } = await queue.watch(() => queue.run(ack, {}, ["a", 1, "a:1", 2]));
    expect(reply).toEqual([1, 0]);
    expect(changes["processing"]).toEqual({ "a:1": null });
    expect(changes["jobs"]).toEqual({ a: null });

    const others = HOSTILE_IDS.filter((id) => id !== "a");
    expect(
      await queue.run(
        ack,
        {},
        others.flatMap((id) => [id, 1]),
      ),
    ).toEqual(others.map(() => 1));
    const left = await queue.snapshot();
    expect(left.jobs.type).toBe("none");
    expect(left.processing.type).toBe("none");
    expect(left.attempts.type).toBe("none");
    expect(left.errors.type).toBe("none");
  });

  it("takes the largest batch", async () => {
    const queue = openQueue();
    const ids = manyIds(SETTLE_BATCH_JOBS);
    await queue.plantMany(ids, (id) => queue.plantHeld(id, 3, 30_000, { attempts: 1, error: "x" }));
    const list = ids.flatMap((id) => [id, 3]);
    expect(await queue.run(ack, {}, list)).toEqual(ids.map(() => 1));
    expect(await queue.run(ack, {}, list)).toEqual(ids.map(() => -1));
    const left = await queue.snapshot();
    expect([left.jobs.type, left.processing.type, left.errors.type]).toEqual(Array(3).fill("none"));
    expect(left.meta.entries.get("completed")).toBe(String(ids.length));
  });
});
