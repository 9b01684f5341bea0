import { describe, expect, it } from "vitest";
import { REAP_BATCH_JOBS } from "../../../src/core/model/limits.ts";
import type { RedisArgument } from "../../../src/core/store/client.ts";
import { reap } from "../../../src/scripts/generated.ts";
import { claimJobs } from "../../helpers/script-claim.ts";
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

const LOST_LEASE = "lease expired: its worker stopped extending it";

function giveBack(
  queue: TestQueue,
  delaysMs: readonly RedisArgument[] = [0],
  maxJobs = REAP_BATCH_JOBS,
): Promise<unknown> {
  return queue.run(reap, { maxJobs, wakeChannel: queue.wakeChannel }, delaysMs);
}

describe("reap", () => {
  it("finds nothing in a new queue", async () => {
    const queue = openQueue();
    const { reply, changes } = await queue.watch(() => giveBack(queue));
    expect(reply).toEqual([-1]);
    expect(changes).toEqual({});
  });

  it("gives back a lease in the very millisecond in which it ends", async () => {
    const queue = openQueue();
    const ids = manyIds(2_000);
    const firstEnd = (await queue.nowMs()) - 10;
    const ends = ids.flatMap((id, index) => [firstEnd + index, `${id}:1`]);
    await queue.client.hset(queue.keys.jobs, Object.fromEntries(ids.map((id) => [id, "{}"])));
    await queue.client.zadd(queue.keys.processing, ...ends);
    await giveBack(queue, [0], ids.length);
    const delayed = await queue.part("delayed");
    const now = Number(delayed.get(ids[0]!));
    expect(delayed.size).toBe(Math.min(now - firstEnd + 1, ids.length));
  });

  it("gives back what has expired, and once more changes nothing", async () => {
    const queue = openQueue();
    await queue.plantHeld("a", 7, -1_000, { attempts: 2, error: "boom" });
    const end = await queue.plantHeld("b", 8, 30_000, { attempts: 1 });
    await queue.client.hset(queue.keys.meta, "expired", 4);

    const { reply, changes, from, to } = await queue.watch(() => giveBack(queue, [5_000]));
    const [endsIn, ...jobs] = reply as [number, ...unknown[]];
    expectWithin(endsIn, end - to, end - from);
    expect(jobs).toEqual(["a", 3]);
    const due = changes.delayed?.["a"];
    expectWithin(due, from, to);
    expect(changes).toEqual({
      processing: { "a:7": null },
      delayed: { a: due },
      attempts: { a: "3" },
      errors: { a: LOST_LEASE },
      meta: { expired: "5" },
    });

    const again = await queue.watch(() => giveBack(queue, [5_000]));
    expect(again.reply).toEqual([expect.any(Number)]);
    expect(again.changes).toEqual({});
  });

  it("goes oldest first and no further than asked, and says when more have ended", async () => {
    const queue = openQueue();
    await queue.plantHeld("c", 1, -1_000);
    await queue.plantHeld("a", 2, -3_000);
    await queue.plantHeld("b", 3, -2_000);
    expect(await giveBack(queue, [0], 2)).toEqual([0, "a", 1, "b", 1]);
    expect([...(await queue.part("processing")).keys()]).toEqual(["c:1"]);
    expect(await giveBack(queue, [0], 2)).toEqual([-1, "c", 1]);
  });

  it("makes a job due at once unless its attempt before ended in the same way", async () => {
    const queue = openQueue();
    await queue.plantHeld("first", 7, -4_000);
    await queue.plantHeld("failed before", 7, -3_000, { attempts: 5, error: "boom" });
    await queue.plantHeld("again", 7, -2_000, { attempts: 1, error: LOST_LEASE });
    const { changes, from, to } = await queue.watch(() => giveBack(queue, [1_000, 20_000, 30_000]));
    const { first, again, "failed before": failedBefore } = changes.delayed ?? {};
    expectWithin(first, from, to);
    expectWithin(failedBefore, from, to);
    expectWithin(again, from + 20_000, to + 20_000);
    expect(changes.attempts).toEqual({ first: "1", "failed before": "6", again: "2" });
    expect(changes.errors).toEqual({ first: LOST_LEASE, "failed before": LOST_LEASE });
  });

  it("delays by the counted attempts, and the last delay serves for all above", async () => {
    const queue = openQueue();
    const attempts = { none: 0, one: 1, two: 2, three: 3, many: 1_000_000 };
    for (const [id, count] of Object.entries(attempts)) {
      await queue.plantHeld(id, 7, -1_000, { error: LOST_LEASE, attempts: count });
    }
    const delaysMs = [10_000, 20_000, 300_000];
    const { changes, from, to } = await queue.watch(() => giveBack(queue, delaysMs));
    for (const [id, delayMs] of Object.entries({
      none: 10_000,
      one: 20_000,
      two: 300_000,
      three: 300_000,
      many: 300_000,
    })) {
      expectWithin(changes.delayed?.[id], from + delayMs, to + delayMs);
    }
    expect(changes.attempts).toEqual({
      none: "1",
      one: "2",
      two: "3",
      three: "4",
      many: "1000001",
    });
  });

  it("only removes a lease whose job is missing, and what is no lease", async () => {
    const queue = openQueue();
    await queue.plantScore("processing", "lost:7", -3_000);
    await queue.plantScore("processing", "no lease", -2_000);
    await queue.plantHeld("a", 7, -1_000);
    const { reply, changes } = await queue.watch(() =>
      queue.runOnBreach(reap, { maxJobs: 10, wakeChannel: "" }, [0]),
    );
    expect(reply).toEqual([-1, "a", 1]);
    expect(changes.processing).toEqual({ "lost:7": null, "no lease": null, "a:7": null });
    expect(Object.keys(changes.delayed ?? {})).toEqual(["a"]);
    expect(changes.meta).toEqual({ expired: "1" });
    await queue.checkInvariant();
  });

  it("only removes a lease of a job that is delayed or dead, as a crash may leave it", async () => {
    const queue = openQueue();
    for (const part of ["delayed", "dead"] as const) {
      await queue.plantHeld(part, 7, -1_000);
      await queue.plantScore(part, part, 60_000);
    }
    const { reply, changes } = await queue.watch(() =>
      queue.runOnBreach(reap, { maxJobs: 10, wakeChannel: "" }, [0]),
    );
    expect(reply).toEqual([-1]);
    expect(changes).toEqual({ processing: { "delayed:7": null, "dead:7": null } });
    await queue.checkInvariant();
  });

  it("writes nothing else where no lease that ended has a job", async () => {
    const queue = openQueue();
    await queue.plantScore("processing", "lost:7", -3_000);
    const end = await queue.plantHeld("a", 7, 30_000);
    const { reply, changes, from, to } = await queue.watch(() =>
      queue.runOnBreach(reap, { maxJobs: 10, wakeChannel: "" }, [0]),
    );
    expect(reply).toHaveLength(1);
    expectWithin((reply as number[])[0], end - to, end - from);
    expect(changes).toEqual({ processing: { "lost:7": null } });
  });

  it("gives back a claim in whole once its visibility timeout has passed", async () => {
    const queue = openQueue();
    await queue.plantMany(["a", "b"], (id) => queue.plantDelayed(id));
    await claimJobs(queue, { visibilityTimeoutMs: 30_000 });
    await queue.moveTime(15_000);
    expect(await giveBack(queue)).toHaveLength(1);
    await queue.moveTime(15_000);
    expect(await giveBack(queue)).toEqual([-1, "a", 1, "b", 1]);
  });

  it("goes on while the queue is paused", async () => {
    const queue = openQueue();
    await queue.plantHeld("a", 7, -1_000);
    await queue.client.hset(queue.keys.meta, "paused", 1);
    expect(await giveBack(queue)).toEqual([-1, "a", 1]);
  });

  it("takes the largest batch of any ids", async () => {
    const queue = openQueue();
    const ids = [...HOSTILE_IDS, ...manyIds(REAP_BATCH_JOBS - HOSTILE_IDS.length)];
    for (const [index, id] of ids.entries()) {
      await queue.plantHeld(id, 1, index - 100_000);
    }
    const { reply, changes } = await queue.watch(() => giveBack(queue, Array(20).fill(60_000)));
    expect(reply).toEqual([-1, ...ids.flatMap((id) => [id, 1])]);
    expect(Object.keys(changes.delayed ?? {}).toSorted()).toEqual(ids.toSorted());
    expect(changes.meta).toEqual({ expired: String(ids.length) });
  });
});

describe("reap wakes", () => {
  const waking: WakingCall = {
    // The second lease in a row that is lost, since the first costs no wait.
    prepare: (queue) => queue.plantHeld("a", 7, -1_000, { attempts: 1, error: LOST_LEASE }),
    call: (queue, wakeChannel, dueInMs) => queue.run(reap, { maxJobs: 10, wakeChannel }, [dueInMs]),
  };
  itKeepsTheRulesOfWaking(waking);
  itWakesNobodyWhilePaused(waking);
  itWakesByTheDueTime(waking);

  it("one worker for a whole batch, by its earliest job", async () => {
    const queue = openQueue();
    await queue.plantHeld("a", 7, -2_000, { error: LOST_LEASE });
    await queue.plantHeld("b", 7, -1_000, { error: LOST_LEASE, attempts: 1 });
    await queue.plantWaiting("w1", 50_000);
    await queue.plantWaiting("w2", 55_000);
    const wakes = await hearWakes(queue, ["w1", "w2"]);
    await giveBack(queue, [10_000, 90_000]);
    expect(await wakes.woken()).toEqual(["w1"]);
  });

  it("nobody where nothing has expired", async () => {
    const queue = openQueue();
    await queue.plantHeld("a", 7, 30_000);
    await queue.plantDelayed("b");
    await queue.plantWaiting("w1", 50_000);
    const wakes = await hearWakes(queue, ["w1"]);
    await giveBack(queue);
    expect(await wakes.woken()).toEqual([]);
  });
});
