import { describe, expect, it } from "vitest";
import {
  MAX_DURATION_MS,
  MAX_ERROR_LENGTH,
  SETTLE_BATCH_JOBS,
} from "../../../src/core/model/limits.ts";
import type { RedisArgument } from "../../../src/core/store/client.ts";
import { nack } from "../../../src/scripts/generated.ts";
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
  itWakesByTheDueTime,
  type WakingCall,
} from "../../helpers/script-wakes.ts";

function giveBack(queue: TestQueue, ...list: RedisArgument[]): Promise<unknown> {
  return queue.run(nack, { wakeChannel: queue.wakeChannel }, list);
}

describe("nack", () => {
  it("gives the job back after the delay, and once more changes nothing", async () => {
    const queue = openQueue();
    await queue.plantHeld("a", 7, 30_000, { attempts: 2, error: "boom" });
    await queue.plantHeld("other", 7);
    const call = () => giveBack(queue, "a", 7, 5_000, 1, "bang");

    const { reply, changes, from, to } = await queue.watch(call);
    const due = changes.delayed?.["a"];
    expectWithin(due, from + 5_000, to + 5_000);
    expect(reply).toEqual([Number(due)]);
    expect(changes).toEqual({
      processing: { "a:7": null },
      delayed: { a: due },
      attempts: { a: "3" },
      errors: { a: "bang" },
      meta: { retried: "1" },
    });

    const again = await queue.watch(call);
    expect(again.reply).toEqual([0]);
    expect(again.changes).toEqual({});
  });

  it("counts the first attempt of a job that never failed", async () => {
    const queue = openQueue();
    await queue.plantHeld("a", 7);
    const { changes } = await queue.watch(() => giveBack(queue, "a", 7, 0, 1, ""));
    expect(changes.attempts).toEqual({ a: "1" });
    expect(changes.errors).toBeUndefined();
  });

  it("counts nothing for a release, and marks the last error", async () => {
    const queue = openQueue();
    await queue.plantHeld("a", 7, 30_000, { attempts: 2, error: "boom" });
    const { reply, changes } = await queue.watch(() => giveBack(queue, "a", 7, 0, 0, ""));
    const [due] = reply as [number];
    expect(changes).toEqual({
      processing: { "a:7": null },
      delayed: { a: String(due) },
      errors: { a: "\u0001boom" },
    });
  });

  it("adds to the total what was counted and no more", async () => {
    const queue = openQueue();
    await queue.client.hset(queue.keys.meta, "retried", 10);
    await queue.plantMany(["a", "b", "c"], (id) => queue.plantHeld(id, 7));
    const { changes } = await queue.watch(() =>
      giveBack(queue, "a", 7, 0, 1, "", "b", 7, 0, 0, "note", "c", 7, 0, 1, "x"),
    );
    expect(changes.meta).toEqual({ retried: "12" });
    expect(changes.attempts).toEqual({ a: "1", c: "1" });
    expect(changes.errors).toEqual({ b: "\u0001note", c: "x" });
  });

  it.each([0, 1, MAX_DURATION_MS])("keeps a delay of %i ms to the millisecond", async (delayMs) => {
    const queue = openQueue();
    await queue.plantHeld("a", 7);
    const { reply, changes, from, to } = await queue.watch(() =>
      giveBack(queue, "a", 7, delayMs, 0, ""),
    );
    const [due] = reply as [number];
    expectWithin(due, from + delayMs, to + delayMs);
    expect(changes.delayed).toEqual({ a: String(due) });
  });

  it("refuses as stale whatever is not held under this token, and as gone what does not exist", async () => {
    const queue = openQueue();
    await queue.plantHeld("held", 8, 30_000, { attempts: 1, error: "boom" });
    await queue.plantDelayed("delayed");
    await queue.plantDead("dead");
    const ids = ["held", "delayed", "dead", "nothing"];
    const { reply, changes } = await queue.watch(() =>
      giveBack(queue, ...ids.flatMap((id) => [id, 7, 0, 1, "x"])),
    );
    expect(reply).toEqual([0, 0, 0, -1]);
    expect(changes).toEqual({});
  });

  it("only removes a lease whose job is missing", async () => {
    const queue = openQueue();
    await queue.plantScore("processing", "lost:7", 30_000);
    const { reply, changes } = await queue.watch(() =>
      queue.runOnBreach(nack, { wakeChannel: "" }, ["lost", 7, 0, 1, "x"]),
    );
    expect(reply).toEqual([-1]);
    expect(changes).toEqual({ processing: { "lost:7": null } });
    await queue.checkInvariant();
  });

  it("treats a lease named twice in one call as two calls would", async () => {
    const queue = openQueue();
    await queue.plantHeld("a", 7);
    await queue.plantHeld("b", 8);
    const leases = [
      ["a", 7, 1_000, "first"],
      ["a", 7, 9_000, "second"],
      ["b", 7, 0, "stale"],
      ["b", 8, 0, "now"],
    ] as const;
    const { reply, changes } = await queue.watch(() =>
      giveBack(
        queue,
        ...leases.flatMap(([id, token, delayMs, error]) => [id, token, delayMs, 1, error]),
      ),
    );
    const { a, b } = changes.delayed ?? {};
    expect(reply).toEqual([Number(a), 0, 0, Number(b)]);
    expect(Number(a) - Number(b)).toBe(1_000);
    expect(changes.attempts).toEqual({ a: "1", b: "1" });
    expect(changes.errors).toEqual({ a: "first", b: "now" });
    expect(changes.meta).toEqual({ retried: "2" });
  });

  it("tells ids apart that look like leases", async () => {
    const queue = openQueue();
    await queue.plantMany(HOSTILE_IDS, (id) => queue.plantHeld(id, 1));
    const { changes } = await queue.watch(() => giveBack(queue, "a:1", 1, 0, 0, ""));
    expect(changes.processing).toEqual({ "a:1:1": null });
    expect(Object.keys(changes.delayed ?? {})).toEqual(["a:1"]);

    const others = HOSTILE_IDS.filter((id) => id !== "a:1");
    await giveBack(queue, ...others.flatMap((id) => [id, 1, 0, 1, `error of ${id}`]));
    const { delayed, attempts, errors } = await queue.snapshot();
    expect([...delayed.entries.keys()].toSorted()).toEqual(HOSTILE_IDS.toSorted());
    expect(attempts.entries).toEqual(new Map(others.map((id) => [id, "1"])));
    const expected = others.map((id) => [id, `error of ${id}`] as const);
    expect(errors.entries).toEqual(new Map([...expected, ["a:1", "\u0001"]]));
  });

  it("takes the largest batch with the longest errors", async () => {
    const queue = openQueue();
    const ids = manyIds(SETTLE_BATCH_JOBS);
    const error = "é\n".repeat(MAX_ERROR_LENGTH / 2);
    await queue.plantMany(ids, (id) => queue.plantHeld(id, 3));
    const list = ids.flatMap((id, index) => [id, 3, index, 1, error]);
    const { reply, changes } = await queue.watch(() => giveBack(queue, ...list));
    expect(reply).toEqual(ids.map((id) => Number(changes.delayed?.[id])));
    expect(changes.meta).toEqual({ retried: String(ids.length) });
    expect(await giveBack(queue, ...list)).toEqual(ids.map(() => 0));
  });
});

describe("nack wakes", () => {
  const waking: WakingCall = {
    prepare: (queue) => queue.plantHeld("a", 7),
    call: (queue, wakeChannel, dueInMs) =>
      queue.run(nack, { wakeChannel }, ["a", 7, dueInMs, 1, "boom"]),
  };
  itKeepsTheRulesOfWaking(waking);
  itWakesNobodyWhilePaused(waking);
  itWakesByTheDueTime(waking);

  it("nobody where it gives nothing back", async () => {
    const queue = openQueue();
    await queue.plantHeld("a", 7);
    await queue.plantWaiting("w1", 50_000);
    const wakes = await hearWakes(queue, ["w1"]);
    await giveBack(queue, "a", 6, 0, 1, "");
    expect(await wakes.woken()).toEqual([]);
  });

  it("one worker for a whole batch, by its earliest job", async () => {
    const queue = openQueue();
    await queue.plantHeld("a", 7);
    await queue.plantHeld("b", 7);
    await queue.plantWaiting("w1", 50_000);
    await queue.plantWaiting("w2", 55_000);
    const wakes = await hearWakes(queue, ["w1", "w2"]);
    await giveBack(queue, "a", 7, 10_000, 1, "", "b", 7, 90_000, 1, "");
    expect(await wakes.woken()).toEqual(["w1"]);
  });
});
