import { describe, expect, it } from "vitest";
import {
  MAX_VISIBILITY_TIMEOUT_MS,
  MIN_VISIBILITY_TIMEOUT_MS,
  SETTLE_BATCH_JOBS,
} from "../../../src/core/model/limits.ts";
import { extend } from "../../../src/scripts/generated.ts";
import { expectWithin, HOSTILE_IDS, manyIds, openQueue } from "../../helpers/script-harness.ts";

describe("extend", () => {
  it("sets the deadline anew, and once more counts from its own time", async () => {
    const queue = openQueue();
    await queue.plantHeld("a", 7, 1_000, { attempts: 1, error: "boom" });
    await queue.plantHeld("other", 7, 1_000);
    const call = () => queue.run(extend, { visibilityTimeoutMs: 30_000 }, ["a", 7]);

    const first = await queue.watch(call);
    expect(first.reply).toEqual([1]);
    const deadline = first.changes.processing?.["a:7"];
    expectWithin(deadline, first.from + 30_000, first.to + 30_000);
    expect(first.changes).toEqual({ processing: { "a:7": deadline } });

    await queue.moveTime(10_000);
    const again = await queue.watch(call);
    expect(again.reply).toEqual([1]);
    const laterDeadline = again.changes.processing?.["a:7"];
    expectWithin(laterDeadline, again.from + 30_000, again.to + 30_000);
    expect(again.changes).toEqual({ processing: { "a:7": laterDeadline } });
  });

  it.each([MIN_VISIBILITY_TIMEOUT_MS, MAX_VISIBILITY_TIMEOUT_MS])(
    "takes a visibility timeout of %i ms, later or sooner than before",
    async (visibilityTimeoutMs) => {
      const queue = openQueue();
      await queue.plantHeld("a", 7, 30_000);
      const { changes, from, to } = await queue.watch(() =>
        queue.run(extend, { visibilityTimeoutMs }, ["a", 7]),
      );
      const deadline = changes.processing?.["a:7"];
      expectWithin(deadline, from + visibilityTimeoutMs, to + visibilityTimeoutMs);
      expect(changes).toEqual({ processing: { "a:7": deadline } });
    },
  );

  it("sets every deadline of a list sooner", async () => {
    const queue = openQueue();
    await queue.plantHeld("a", 7, 30_000);
    await queue.plantHeld("b", 7, 40_000);
    const list = ["a", 7, "b", 7];
    const { changes, from, to } = await queue.watch(() =>
      queue.run(extend, { visibilityTimeoutMs: 1_000 }, list),
    );
    const deadlines = Object.values(changes.processing ?? {});
    expect(deadlines).toHaveLength(2);
    for (const deadline of deadlines) expectWithin(deadline, from + 1_000, to + 1_000);
  });

  it("still extends a lease that has ended but was not given back yet", async () => {
    const queue = openQueue();
    await queue.plantHeld("a", 7, -60_000);
    expect(await queue.run(extend, { visibilityTimeoutMs: 30_000 }, ["a", 7])).toEqual([1]);
  });

  it("refuses whatever is not held under this token", async () => {
    const queue = openQueue();
    await queue.plantHeld("held", 8);
    await queue.plantDelayed("delayed");
    await queue.plantDead("dead");
    const list = ["held", 7, "held", 88, "held", "08", "delayed", 8, "dead", 8, "nothing", 8];
    const { reply, changes } = await queue.watch(() =>
      queue.run(extend, { visibilityTimeoutMs: 30_000 }, list),
    );
    expect(reply).toEqual([0, 0, 0, 0, 0, 0]);
    expect(changes).toEqual({});
  });

  it("keeps the last lease of the list, and the first of a repeated one", async () => {
    const queue = openQueue();
    await queue.plantHeld("a", 7, 1_000);
    await queue.plantHeld("b", 8, 1_000);
    const list = ["a", 7, "a", 7, "b", 7, "b", 8];
    const { reply, changes } = await queue.watch(() =>
      queue.run(extend, { visibilityTimeoutMs: 30_000 }, list),
    );
    expect(reply).toEqual([1, 0, 0, 1]);
    expect(Object.keys(changes.processing ?? {}).toSorted()).toEqual(["a:7", "b:8"]);
  });

  it("tells ids apart that look like leases", async () => {
    const queue = openQueue();
    await queue.plantMany(HOSTILE_IDS, (id) => queue.plantHeld(id, 1, 1_000));
    const args = { visibilityTimeoutMs: 30_000 };
    const { changes } = await queue.watch(() => queue.run(extend, args, ["a:1", 1]));
    expect(Object.keys(changes.processing ?? {})).toEqual(["a:1:1"]);
    const list = HOSTILE_IDS.flatMap((id) => [id, 1]);
    expect(await queue.run(extend, args, list)).toEqual(HOSTILE_IDS.map(() => 1));
  });

  it("takes the largest batch", async () => {
    const queue = openQueue();
    const ids = manyIds(SETTLE_BATCH_JOBS);
    await queue.plantMany(ids, (id) => queue.plantHeld(id, 3, 1_000));
    const { reply, changes, from, to } = await queue.watch(() =>
      queue.run(
        extend,
        { visibilityTimeoutMs: 30_000 },
        ids.flatMap((id) => [id, 3]),
      ),
    );
    expect(reply).toEqual(ids.map(() => 1));
    const deadlines = new Set(Object.values(changes.processing ?? {}));
    expect(deadlines.size).toBe(1);
    expectWithin([...deadlines][0], from + 30_000, to + 30_000);
    expect(Object.keys(changes.processing ?? {})).toHaveLength(ids.length);
  });
});
