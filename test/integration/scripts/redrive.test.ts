import { describe, expect, it } from "vitest";
import { ADMIN_BATCH_JOBS } from "../../../src/core/model/limits.ts";
import { redrive } from "../../../src/scripts/generated.ts";
import {
  expectWithin,
  HOSTILE_IDS,
  manyIds,
  openQueue,
  type TestQueue,
} from "../../helpers/script-harness.ts";
import {
  hearWakes,
  itKeepsTheRulesOfWaking,
  itWakesNobodyWhilePaused,
  type WakingCall,
} from "../../helpers/script-wakes.ts";

function revive(queue: TestQueue, ids: readonly string[]): Promise<unknown> {
  return queue.run(redrive, { wakeChannel: queue.wakeChannel }, ids);
}

describe("redrive", () => {
  it("makes the job due now as if it were new, and once more changes nothing", async () => {
    const queue = openQueue();
    await queue.plantDead("a", -60_000, { attempts: 3, error: "boom" });
    await queue.plantDead("other", 0, { attempts: 1, error: "bang" });
    await queue.client.hset(queue.keys.meta, "redriven", 4);

    const { reply, changes, from, to } = await queue.watch(() => revive(queue, ["a"]));
    expect(reply).toEqual([1]);
    const due = changes.delayed?.["a"];
    expectWithin(due, from, to);
    expect(changes).toEqual({
      dead: { a: null },
      delayed: { a: due },
      attempts: { a: null },
      errors: { a: "\u0002" },
      meta: { redriven: "5" },
    });

    const again = await queue.watch(() => revive(queue, ["a"]));
    expect(again.reply).toEqual([0]);
    expect(again.changes).toEqual({});
  });

  it("leaves alone what is not dead", async () => {
    const queue = openQueue();
    await queue.plantDelayed("delayed", 60_000, { attempts: 1, error: "boom" });
    await queue.plantHeld("held", 7, 30_000, { attempts: 1 });
    const ids = ["delayed", "held", "held:7", "nothing"];
    const { reply, changes } = await queue.watch(() => revive(queue, ids));
    expect(reply).toEqual([0, 0, 0, 0]);
    expect(changes).toEqual({});
  });

  it("counts an id named twice in one call once", async () => {
    const queue = openQueue();
    await queue.plantDead("a");
    await queue.plantDead("b");
    const { reply, changes } = await queue.watch(() => revive(queue, ["a", "b", "a"]));
    expect(reply).toEqual([1, 1, 0]);
    expect(changes.meta).toEqual({ redriven: "2" });
  });

  it("only removes a dead entry whose job is missing", async () => {
    const queue = openQueue();
    await queue.plantScore("dead", "lost", 0);
    await queue.client.hset(queue.keys.errors, "lost", "boom");
    const { reply, changes } = await queue.watch(() =>
      queue.runOnBreach(redrive, { wakeChannel: "" }, ["lost"]),
    );
    expect(reply).toEqual([0]);
    expect(changes).toEqual({ dead: { lost: null }, errors: { lost: null } });
  });

  it("takes any id", async () => {
    const queue = openQueue();
    await queue.plantMany(HOSTILE_IDS, (id) => queue.plantDead(id, 0, { attempts: 1 }));
    const { changes } = await queue.watch(() => revive(queue, ["a:1"]));
    expect(changes.dead).toEqual({ "a:1": null });
    const others = HOSTILE_IDS.filter((id) => id !== "a:1");
    expect(await revive(queue, others)).toEqual(others.map(() => 1));
    expect([...(await queue.part("delayed")).keys()].toSorted()).toEqual(HOSTILE_IDS.toSorted());
  });

  it("takes the largest batch", async () => {
    const queue = openQueue();
    const ids = manyIds(ADMIN_BATCH_JOBS);
    await queue.plantMany(ids, (id) => queue.plantDead(id, 0, { attempts: 1, error: "x" }));
    expect(await revive(queue, ids)).toEqual(ids.map(() => 1));
    expect(await revive(queue, ids)).toEqual(ids.map(() => 0));
    const { attempts, errors, dead, delayed, meta } = await queue.snapshot();
    expect([attempts.type, dead.type]).toEqual(["none", "none"]);
    expect(errors.entries).toEqual(new Map(ids.map((id) => [id, "\u0002"])));
    expect([...delayed.entries.keys()]).toEqual(ids);
    expect(meta.entries).toEqual(new Map([["redriven", String(ids.length)]]));
  });
});

describe("redrive wakes", () => {
  const waking: WakingCall = {
    prepare: (queue) => queue.plantDead("a"),
    call: (queue, wakeChannel) => queue.run(redrive, { wakeChannel }, ["a"]),
  };
  itKeepsTheRulesOfWaking(waking);
  itWakesNobodyWhilePaused(waking);

  it("nobody where it revives nothing", async () => {
    const queue = openQueue();
    await queue.plantDelayed("a", 60_000);
    await queue.plantWaiting("w1", 50_000);
    const wakes = await hearWakes(queue, ["w1"]);
    await revive(queue, ["a"]);
    expect(await wakes.woken()).toEqual([]);
  });
});
