import { describe, expect, it } from "vitest";
import { MAX_ERROR_LENGTH, SETTLE_BATCH_JOBS } from "../../../src/core/model/limits.ts";
import { bury } from "../../../src/scripts/generated.ts";
import { expectWithin, HOSTILE_IDS, manyIds, openQueue } from "../../helpers/script-harness.ts";

describe("bury", () => {
  it("moves the job to the dead with its reason, and once more changes nothing", async () => {
    const queue = openQueue();
    await queue.plantHeld("a", 7, 30_000, { attempts: 2, error: "boom" });
    await queue.plantHeld("other", 7);
    const call = () => queue.run(bury, {}, ["a", 7, 1, "too often"]);

    const { reply, changes, from, to } = await queue.watch(call);
    expect(reply).toEqual([1]);
    const died = changes.dead?.["a"];
    expectWithin(died, from, to);
    expect(changes).toEqual({
      processing: { "a:7": null },
      dead: { a: died },
      attempts: { a: "3" },
      errors: { a: "too often" },
      meta: { buried: "1" },
    });

    const again = await queue.watch(call);
    expect(again.reply).toEqual([0]);
    expect(again.changes).toEqual({});
  });

  it("counts no attempt and leaves the last error where it is told so", async () => {
    const queue = openQueue();
    await queue.plantHeld("a", 7, 30_000, { attempts: 2, error: "boom" });
    await queue.plantHeld("b", 7);
    const { reply, changes } = await queue.watch(() =>
      queue.run(bury, {}, ["a", 7, 0, "", "b", 7, 0, ""]),
    );
    expect(reply).toEqual([1, 1]);
    expect(Object.keys(changes).toSorted()).toEqual(["dead", "meta", "processing"]);
  });

  it("counts the first attempt of a job that never failed", async () => {
    const queue = openQueue();
    await queue.plantHeld("a", 7);
    const { changes } = await queue.watch(() => queue.run(bury, {}, ["a", 7, 1, "boom"]));
    expect(changes.attempts).toEqual({ a: "1" });
    expect(changes.errors).toEqual({ a: "boom" });
  });

  it("refuses as stale whatever is not held under this token, and as gone what does not exist", async () => {
    const queue = openQueue();
    await queue.plantHeld("held", 8, 30_000, { attempts: 1, error: "boom" });
    await queue.plantDelayed("delayed");
    await queue.plantDead("dead");
    const ids = ["held", "delayed", "dead", "nothing"];
    const list = ids.flatMap((id) => [id, 7, 1, "reason"]);
    const { reply, changes } = await queue.watch(() => queue.run(bury, {}, list));
    expect(reply).toEqual([0, 0, 0, -1]);
    expect(changes).toEqual({});
  });

  it("only removes a lease whose job is missing", async () => {
    const queue = openQueue();
    await queue.plantScore("processing", "lost:7", 30_000);
    const { reply, changes } = await queue.watch(() =>
      queue.runOnBreach(bury, {}, ["lost", 7, 1, "reason"]),
    );
    expect(reply).toEqual([-1]);
    expect(changes).toEqual({ processing: { "lost:7": null } });
    await queue.checkInvariant();
  });

  it("treats a lease named twice in one call as two calls would", async () => {
    const queue = openQueue();
    await queue.plantHeld("a", 7);
    await queue.plantHeld("b", 8);
    const list = ["a", 7, 1, "first", "a", 7, 1, "second", "b", 7, 1, "stale", "b", 8, 1, "now"];
    const { reply, changes } = await queue.watch(() => queue.run(bury, {}, list));
    expect(reply).toEqual([1, 0, 0, 1]);
    expect(changes.attempts).toEqual({ a: "1", b: "1" });
    expect(changes.errors).toEqual({ a: "first", b: "now" });
    expect(changes.meta).toEqual({ buried: "2" });
  });

  it("tells ids apart that look like leases", async () => {
    const queue = openQueue();
    await queue.plantMany(HOSTILE_IDS, (id) => queue.plantHeld(id, 1));
    const { reply, changes } = await queue.watch(() => queue.run(bury, {}, ["a:1", 1, 0, ""]));
    expect(reply).toEqual([1]);
    expect(changes.processing).toEqual({ "a:1:1": null });
    expect(Object.keys(changes.dead ?? {})).toEqual(["a:1"]);

    const others = HOSTILE_IDS.filter((id) => id !== "a:1");
    const list = others.flatMap((id) => [id, 1, 1, `reason of ${id}`]);
    expect(await queue.run(bury, {}, list)).toEqual(others.map(() => 1));
    const { dead, errors, attempts } = await queue.snapshot();
    expect([...dead.entries.keys()].toSorted()).toEqual(HOSTILE_IDS.toSorted());
    for (const id of others) {
      expect(errors.entries.get(id)).toBe(`reason of ${id}`);
      expect(attempts.entries.get(id)).toBe("1");
    }
  });

  it("takes the largest batch with the longest reasons", async () => {
    const queue = openQueue();
    const ids = manyIds(SETTLE_BATCH_JOBS);
    const reason = "é\n".repeat(MAX_ERROR_LENGTH / 2);
    await queue.client.hset(queue.keys.meta, "buried", 100);
    await queue.plantMany(ids, (id) => queue.plantHeld(id, 3));
    const list = ids.flatMap((id) => [id, 3, 1, reason]);
    expect(await queue.run(bury, {}, list)).toEqual(ids.map(() => 1));
    expect(await queue.run(bury, {}, list)).toEqual(ids.map(() => 0));
    const { dead, errors, processing, meta } = await queue.snapshot();
    expect(dead.entries.size).toBe(ids.length);
    expect(processing.type).toBe("none");
    expect(new Set(errors.entries.values())).toEqual(new Set([reason]));
    expect(meta.entries.get("buried")).toBe(String(100 + ids.length));
  });
});
