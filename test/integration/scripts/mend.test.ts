import { describe, expect, it } from "vitest";
import { ADMIN_BATCH_JOBS, MEND_MAX_LEASES } from "../../../src/core/model/limits.ts";
import { mend } from "../../../src/scripts/generated.ts";
import {
  expectWithin,
  HOSTILE_IDS,
  manyIds,
  openQueue,
  type TestQueue,
  type Watched,
} from "../../helpers/script-harness.ts";

/** Looks, which must change nothing; mends; and looks again, which must find all sound. */
async function lookAndMend(queue: TestQueue, ids: readonly string[], kinds: readonly string[]) {
  const look = () => queue.runOnBreach(mend, { mends: 0, maxLeases: MEND_MAX_LEASES }, ids);
  const mended = () => queue.run(mend, { mends: 1, maxLeases: MEND_MAX_LEASES }, ids);
  const looked = await queue.watch(look);
  expect(looked).toMatchObject({ reply: kinds, changes: {} });
  expect(looked.changes).toEqual({});
  const first: Watched = await queue.watch(mended);
  expect(first.reply).toEqual(kinds);
  const again = await queue.watch(mended);
  expect(again.reply).toEqual(kinds.map(() => "sound"));
  expect(again.changes).toEqual({});
  return first;
}

describe("mend", () => {
  it("finds jobs sound that are in one place, and ids that are nowhere", async () => {
    const queue = openQueue();
    await queue.plantDelayed("delayed", 60_000, { attempts: 1, error: "boom" });
    await queue.plantHeld("held", 7);
    await queue.plantDead("dead");
    const ids = ["delayed", "held", "dead", "nothing", "held:7"];
    const { changes } = await lookAndMend(queue, ids, Array(5).fill("sound"));
    expect(changes).toEqual({});
  });

  it("makes an orphan due now", async () => {
    const queue = openQueue();
    await queue.plantJob("a", { attempts: 2, error: "boom" });
    const { changes, from, to } = await lookAndMend(queue, ["a"], ["orphan"]);
    const due = changes.delayed?.["a"];
    expectWithin(due, from, to);
    expect(changes).toEqual({ delayed: { a: due } });
  });

  it("keeps the strongest of several places", async () => {
    const queue = openQueue();
    const kept = await queue.plantHeld("leased", 9, 1_000);
    await queue.plantHeld("leased", 10, 2_000);
    await queue.plantDelayed("leased");
    await queue.plantDead("leased");
    await queue.plantDelayed("waits", 60_000);
    await queue.plantDead("waits");
    await queue.plantHeld("dies", 3);
    await queue.plantDead("dies");
    const ids = ["leased", "waits", "dies"];
    const { changes } = await lookAndMend(queue, ids, Array(3).fill("double"));
    expect(kept).toBeGreaterThan(0);
    expect(changes).toEqual({
      processing: { "leased:9": null },
      delayed: { leased: null },
      dead: { leased: null, waits: null, dies: null },
    });
  });

  it("removes what names no job", async () => {
    const queue = openQueue();
    await queue.plantScore("delayed", "delayed", 0);
    await queue.plantScore("dead", "dead", 0);
    await queue.plantScore("processing", "leased:1", 0);
    await queue.plantScore("processing", "leased:2", 0);
    await queue.plantScore("processing", "no lease", 0);
    await queue.client.hset(queue.keys.attempts, "attempts", 1);
    await queue.client.hset(queue.keys.errors, "error", "boom");
    await queue.plantHeld("sound", 1);
    const ids = ["delayed", "dead", "leased", "no lease", "attempts", "error"];
    const { changes } = await lookAndMend(queue, ids, Array(6).fill("dangling"));
    expect(changes).toEqual({
      delayed: { delayed: null },
      dead: { dead: null },
      processing: { "leased:1": null, "leased:2": null, "no lease": null },
      attempts: { attempts: null },
      errors: { error: null },
    });
  });

  it("looks at an id named twice as two calls would", async () => {
    const queue = openQueue();
    await queue.plantJob("orphan", {});
    await queue.plantScore("delayed", "dangling", 0);
    await queue.plantHeld("double", 1);
    await queue.plantHeld("double", 2);
    const ids = ["orphan", "orphan", "dangling", "dangling", "double", "double"];
    const args = { mends: 1, maxLeases: MEND_MAX_LEASES };
    expect(await queue.run(mend, args, ids)).toEqual([
      "orphan",
      "sound",
      "dangling",
      "sound",
      "double",
      "sound",
    ]);
  });

  it("calls unknown, and leaves alone, what it cannot find among too many leases", async () => {
    const queue = openQueue();
    await queue.plantHeld("held", 1);
    await queue.plantHeld("double", 2);
    await queue.plantDelayed("double");
    await queue.plantDelayed("delayed");
    await queue.plantJob("orphan", {});
    await queue.plantScore("dead", "dangling", 0);
    const ids = ["held", "double", "delayed", "orphan", "dangling", "nothing"];
    const { reply, changes } = await queue.watch(() =>
      queue.runOnBreach(mend, { mends: 1, maxLeases: 1 }, ids),
    );
    // Any of them may have a lease that was not looked for.
    expect(reply).toEqual(ids.map(() => "unknown"));
    expect(changes).toEqual({});
    const verdicts = await queue.runOnBreach(mend, { mends: 0, maxLeases: 2 }, ids);
    expect(verdicts).toEqual(["sound", "double", "sound", "orphan", "dangling", "sound"]);
  });

  it("tells ids apart that look like leases", async () => {
    const queue = openQueue();
    await queue.plantMany(HOSTILE_IDS, async (id) => {
      await queue.plantHeld(id, 1);
      await queue.plantHeld(id, 2);
    });
    const kinds = HOSTILE_IDS.map(() => "double");
    const { changes } = await lookAndMend(queue, HOSTILE_IDS, kinds);
    const removed = HOSTILE_IDS.map((id) => [`${id}:1`, null]);
    expect(changes).toEqual({ processing: Object.fromEntries(removed) });
  });

  it("takes the largest batch", async () => {
    const queue = openQueue();
    const ids = manyIds(ADMIN_BATCH_JOBS);
    await queue.plantMany(ids, (id) => queue.plantJob(id, {}));
    const { changes } = await lookAndMend(
      queue,
      ids,
      ids.map(() => "orphan"),
    );
    expect(Object.keys(changes.delayed ?? {})).toEqual(ids);
  });
});
