import { describe, expect, it } from "vitest";
import { pause, stats } from "../../../src/scripts/generated.ts";
import { expectWithin, openQueue } from "../../helpers/script-harness.ts";

describe("stats", () => {
  it("counts nothing in a new queue, and creates nothing", async () => {
    const queue = openQueue();
    const { reply, changes } = await queue.watch(() => queue.run(stats, {}));
    expect(reply).toEqual([0, 0, 0, 0, -1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    expect(changes).toEqual({});
  });

  it("counts each state, live waiting workers and the totals, the same again and again", async () => {
    const queue = openQueue();
    await queue.plantMany(["a", "b", "c"], (id) => queue.plantDelayed(id, 60_000));
    const oldest = await queue.plantDelayed("oldest", -90_000);
    await queue.plantDelayed("due", -1_000);
    await queue.plantMany(["x", "y", "z", "q"], (id) => queue.plantHeld(id, 7));
    await queue.plantDead("dead");
    await queue.plantWaiting("w1", 50_000);
    await queue.plantWaiting("w2", 60_000);
    await queue.plantWaiting("stalled", -10_000);
    const totals = ["enqueued", "completed", "retried", "expired"];
    totals.push("buried", "redriven", "cancelled", "purged");
    for (const [index, total] of totals.entries()) {
      await queue.client.hset(queue.keys.meta, total, 1_000_000_000_000 + index);
    }
    await queue.run(pause, {});

    for (const _ of ["first", "again"]) {
      const { reply, changes, from, to } = await queue.watch(() => queue.run(stats, {}));
      const [delayed, due, processing, dead, oldestDueAge, ...rest] = reply as number[];
      expect([delayed, due, processing, dead]).toEqual([3, 2, 4, 1]);
      expectWithin(oldestDueAge, from - oldest, to - oldest);
      expect(rest).toEqual([1, 2, ...totals.map((_, index) => 1_000_000_000_000 + index)]);
      expect(changes).toEqual({});
    }
  });

  it("takes a spoilt total for 0", async () => {
    const queue = openQueue();
    await queue.client.hset(queue.keys.meta, { enqueued: "many", completed: "", purged: 5 });
    const reply = (await queue.run(stats, {})) as number[];
    expect(reply.slice(-8)).toEqual([0, 0, 0, 0, 0, 0, 0, 5]);
  });

  it("gives no age where nothing is due yet", async () => {
    const queue = openQueue();
    await queue.plantDelayed("a", 60_000);
    expect(((await queue.run(stats, {})) as number[]).slice(0, 5)).toEqual([1, 0, 0, 0, -1]);
  });
});
