import { describe, expect, it } from "vitest";
import { claim, pause } from "../../../src/scripts/generated.ts";
import { claimArguments, claimJobs } from "../../helpers/script-claim.ts";
import { openQueue } from "../../helpers/script-harness.ts";
import {
  hearWakes,
  itKeepsTheRulesOfWaking,
  itWakesNobodyWhilePaused,
  itWakesByTheDueTime,
  type WakingCall,
} from "../../helpers/script-wakes.ts";

describe("claim lets a worker with free slots wait", () => {
  it("until the next job is due", async () => {
    const queue = openQueue();
    const due = await queue.plantDelayed("a", 20_000);
    const { lookIn, now } = await claimJobs(queue);
    expect(lookIn).toBe(due - now);
    expect(await queue.part("waiting")).toEqual(new Map([["w1", String(due)]]));
  });

  it.each([
    { where: "the next job is due later than that", plantedInMs: [120_000] },
    { where: "there is no next job", plantedInMs: [] },
  ])("for its poll interval where $where", async ({ plantedInMs }) => {
    const queue = openQueue();
    for (const inMs of plantedInMs) {
      await queue.plantDelayed("a", inMs);
    }
    const { lookIn, now } = await claimJobs(queue);
    expect(lookIn).toBe(60_000);
    expect(await queue.part("waiting")).toEqual(new Map([["w1", String(now + 60_000)]]));
  });

  it("not at all where jobs are left that are due", async () => {
    const queue = openQueue();
    await queue.plantScore("delayed", "lost", -5_000);
    await queue.plantDelayed("a", -1_000);
    // The one id that it takes is no job, so that it is left with a free slot and work is due.
    await queue.runOnBreach(claim, claimArguments(queue, { maxJobs: 1, request: 1 }));
    const { ids } = await claimJobs(queue, { maxJobs: 1, request: 2 });
    expect(ids).toEqual(["a"]);
  });

  it("as sentry, as its deputy a second later, or else for its poll interval", async () => {
    const queue = openQueue();
    const due = await queue.plantDelayed("a", 20_000);
    const sentry = await claimJobs(queue, { workerId: "w1" });
    const deputy = await claimJobs(queue, { workerId: "w2" });
    const sleepers = [];
    for (const workerId of ["w3", "w4", "w5"]) {
      sleepers.push(await claimJobs(queue, { workerId }));
    }
    expect(sentry.lookIn).toBe(due - sentry.now);
    expect(deputy.lookIn).toBe(due + 1_000 - deputy.now);
    expect(sleepers.map(({ lookIn }) => lookIn)).toEqual([60_000, 60_000, 60_000]);
  });

  it("as deputy where another looks in time and no other soon after", async () => {
    const queue = openQueue();
    await queue.plantWaiting("w2", 10_000);
    await queue.plantWaiting("w3", 22_000);
    const due = await queue.plantDelayed("a", 20_000);
    const { lookIn, now } = await claimJobs(queue);
    expect(lookIn).toBe(due + 1_000 - now);
  });

  it("for its poll interval where two others look in time", async () => {
    const queue = openQueue();
    await queue.plantWaiting("w2", 10_000);
    await queue.plantWaiting("w3", 20_500);
    await queue.plantDelayed("a", 20_000);
    expect((await claimJobs(queue)).lookIn).toBe(60_000);
  });

  it("never longer than its poll interval, as deputy too", async () => {
    const queue = openQueue();
    await queue.plantWaiting("w2", 10_000);
    await queue.plantDelayed("a", 60_000);
    expect((await claimJobs(queue, { pollIntervalMs: 15_000 })).lookIn).toBe(15_000);
  });

  it("until the next job is due where the others look too late", async () => {
    const queue = openQueue();
    await queue.plantWaiting("w2", 40_000);
    const due = await queue.plantDelayed("a", 20_000);
    const { lookIn, now } = await claimJobs(queue);
    expect(lookIn).toBe(due - now);
  });

  it("until the next job is due where the only other one has stalled", async () => {
    const queue = openQueue();
    await queue.plantWaiting("stalled", -10_000);
    const due = await queue.plantDelayed("a", 20_000);
    const { lookIn, now } = await claimJobs(queue);
    expect(lookIn).toBe(due - now);
  });

  it("until the next job is due where the watch it finds is its own of before", async () => {
    const queue = openQueue();
    const due = await queue.plantDelayed("a", 20_000);
    await claimJobs(queue, { request: 1 });
    const { lookIn, now } = await claimJobs(queue, { request: 2 });
    expect(lookIn).toBe(due - now);
  });

  it("for its poll interval while the queue is paused, whatever is due", async () => {
    const queue = openQueue();
    await queue.plantDelayed("a", -1_000);
    await queue.run(pause, {});
    expect((await claimJobs(queue)).lookIn).toBe(60_000);
  });

  it("with one entry, that of its last claim", async () => {
    const queue = openQueue();
    await claimJobs(queue, { request: 1, pollIntervalMs: 10_000 });
    const { now } = await claimJobs(queue, { request: 2, pollIntervalMs: 20_000 });
    expect(await queue.part("waiting")).toEqual(new Map([["w1", String(now + 20_000)]]));
  });
});

describe("claim takes a worker out of the waiting", () => {
  it.each([
    { why: "is full and comes back", change: { maxJobs: 1, comesBack: 1 } },
    { why: "is full", change: { maxJobs: 1 } },
    { why: "had its reply cut", change: { maxBytes: 1 } },
    { why: "does not wait", change: { pollIntervalMs: 0 } },
  ])("that $why", async ({ change }) => {
    const queue = openQueue();
    await claimJobs(queue, { request: 1 });
    expect((await queue.part("waiting")).has("w1")).toBe(true);
    await queue.plantDelayed("a", -1_000);
    await queue.plantDelayed("b", -1_000);
    const { lookIn } = await claimJobs(queue, { request: 2, ...change });
    expect(lookIn).toBe(-1);
    expect((await queue.part("waiting")).size).toBe(0);
  });
});

describe("claim drops, little by little,", () => {
  it("the entries of stalled workers", async () => {
    const queue = openQueue();
    await queue.plantWaiting("stalled1", -10_000);
    await queue.plantWaiting("stalled2", -9_000);
    await queue.plantWaiting("w2", 40_000);
    await claimJobs(queue);
    expect([...(await queue.part("waiting")).keys()]).toEqual(["w1", "w2"]);
  });

  it("the claims of workers not heard of for an hour, and no others", async () => {
    const queue = openQueue();
    await claimJobs(queue, { workerId: "silent" });
    await queue.moveTime(60_000);
    await claimJobs(queue, { workerId: "heard of" });
    await queue.moveTime(3_600_000 - 30_000);
    // Each call looks at one claim of the three by chance: 500 calls do not miss one.
    let claims = await queue.part("claims");
    for (let request = 1; request <= 500 && claims.has("silent"); request += 1) {
      await claimJobs(queue, { request });
      claims = await queue.part("claims");
    }
    for (let request = 501; request <= 520; request += 1) {
      await claimJobs(queue, { request });
    }
    expect([...(await queue.part("claims")).keys()]).toEqual(["heard of", "w1"]);
  });
});

describe("claim of a worker that is full hands the watch over, and wakes", () => {
  const waking: WakingCall = {
    async prepare(queue, dueInMs) {
      await queue.plantDelayed("a", -1_000);
      await queue.plantDelayed("b", dueInMs);
    },
    call: (queue, wakeChannel) => {
      const full = { workerId: "claimer", maxJobs: 1, pollIntervalMs: 0, wakeChannel };
      return queue.run(claim, claimArguments(queue, full));
    },
  };
  itKeepsTheRulesOfWaking(waking);
  itWakesNobodyWhilePaused(waking);
  itWakesByTheDueTime(waking);

  it.each([
    { which: "comes back at once", change: { maxJobs: 1, comesBack: 1 } },
    { which: "leaves nothing behind", change: { maxJobs: 2 } },
    { which: "watches the head itself", change: { maxJobs: 10 } },
  ])("nobody for one that $which", async ({ change }) => {
    const queue = openQueue();
    await queue.plantDelayed("a", -1_000);
    await queue.plantDelayed("b", -1_000);
    await queue.plantWaiting("w2", 50_000);
    const wakes = await hearWakes(queue, ["w1", "w2"]);
    expect((await claimJobs(queue, change)).ids.length).toBeGreaterThan(0);
    expect(await wakes.woken()).toEqual([]);
  });

  it("another for one that does not wait and leaves a head behind", async () => {
    const queue = openQueue();
    await queue.plantDelayed("a", 20_000);
    await queue.plantWaiting("w2", 50_000);
    const wakes = await hearWakes(queue, ["w1", "w2"]);
    expect((await claimJobs(queue, { pollIntervalMs: 0 })).ids).toEqual([]);
    expect(await wakes.woken()).toEqual(["w2"]);
  });

  it("never the caller itself", async () => {
    const queue = openQueue();
    await claimJobs(queue, { request: 1 });
    await queue.plantDelayed("a", -1_000);
    await queue.plantDelayed("b", -1_000);
    const wakes = await hearWakes(queue, ["w1"]);
    await claimJobs(queue, { request: 2, maxJobs: 1 });
    expect(await wakes.woken()).toEqual([]);
  });

  it("one after another, so that a burst wakes as many as it needs", async () => {
    const queue = openQueue();
    const workers = ["w1", "w2", "w3"];
    for (const workerId of workers) {
      await claimJobs(queue, { workerId, request: 1 });
    }
    await queue.plantMany(["a", "b", "c"], (id) => queue.plantDelayed(id, -1_000));
    const wakes = await hearWakes(queue, workers);
    const first = { workerId: "w1", request: 2, maxJobs: 1 };
    await claimJobs(queue, first);
    const [second = ""] = await wakes.woken();
    await claimJobs(queue, { workerId: second, request: 2, maxJobs: 1 });
    const [third = ""] = await wakes.woken();
    await claimJobs(queue, { workerId: third, request: 2, maxJobs: 1 });
    expect(await wakes.woken()).toEqual([]);
    expect(["w1", second, third].toSorted()).toEqual(workers);
  });
});
