import { describe, expect, it } from "vitest";
import { ADMIN_BATCH_JOBS } from "../../../src/core/model/limits.ts";
import { purge } from "../../../src/scripts/generated.ts";
import { HOSTILE_IDS, manyIds, openQueue } from "../../helpers/script-harness.ts";

describe("purge", () => {
  it("removes the dead job and all that is known of it, and once more changes nothing", async () => {
    const queue = openQueue();
    await queue.plantDead("a", 0, { attempts: 3, error: "boom" });
    await queue.plantDead("other", 0, { attempts: 1, error: "bang" });
    await queue.client.hset(queue.keys.meta, "purged", 4);
    const call = () => queue.run(purge, {}, ["a"]);

    const { reply, changes } = await queue.watch(call);
    expect(reply).toEqual([1]);
    expect(changes).toEqual({
      dead: { a: null },
      jobs: { a: null },
      attempts: { a: null },
      errors: { a: null },
      meta: { purged: "5" },
    });

    const again = await queue.watch(call);
    expect(again.reply).toEqual([0]);
    expect(again.changes).toEqual({});
  });

  it("leaves alone what is not dead", async () => {
    const queue = openQueue();
    await queue.plantDelayed("delayed");
    await queue.plantHeld("held", 7, 30_000, { attempts: 1 });
    const { reply, changes } = await queue.watch(() =>
      queue.run(purge, {}, ["delayed", "held", "held:7", "nothing"]),
    );
    expect(reply).toEqual([0, 0, 0, 0]);
    expect(changes).toEqual({});
  });

  it("counts an id named twice in one call once", async () => {
    const queue = openQueue();
    await queue.plantDead("a");
    await queue.plantDead("b");
    const { reply, changes } = await queue.watch(() => queue.run(purge, {}, ["a", "b", "a"]));
    expect(reply).toEqual([1, 1, 0]);
    expect(changes.meta).toEqual({ purged: "2" });
  });

  it("takes any id", async () => {
    const queue = openQueue();
    await queue.plantMany(HOSTILE_IDS, (id) => queue.plantDead(id, 0, { attempts: 1 }));
    const { changes } = await queue.watch(() => queue.run(purge, {}, ["a:1"]));
    expect(changes.jobs).toEqual({ "a:1": null });
    const others = HOSTILE_IDS.filter((id) => id !== "a:1");
    expect(await queue.run(purge, {}, others)).toEqual(others.map(() => 1));
    const { dead, jobs, attempts } = await queue.snapshot();
    expect([dead.type, jobs.type, attempts.type]).toEqual(["none", "none", "none"]);
  });

  it("takes the largest batch", async () => {
    const queue = openQueue();
    const ids = manyIds(ADMIN_BATCH_JOBS);
    await queue.plantMany(ids, (id) => queue.plantDead(id, 0, { attempts: 1, error: "x" }));
    expect(await queue.run(purge, {}, ids)).toEqual(ids.map(() => 1));
    expect(await queue.run(purge, {}, ids)).toEqual(ids.map(() => 0));
    const { jobs, meta } = await queue.snapshot();
    expect(jobs.type).toBe("none");
    expect(meta.entries).toEqual(new Map([["purged", String(ids.length)]]));
  });
});
