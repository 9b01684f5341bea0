import { describe, expect, it } from "vitest";
import { leave } from "../../../src/scripts/generated.ts";
import { claimJobs } from "../../helpers/script-claim.ts";
import { HOSTILE_IDS, openQueue, type TestQueue } from "../../helpers/script-harness.ts";
import {
  hearWakes,
  itKeepsTheRulesOfWaking,
  itWakesNobodyWhilePaused,
  itWakesByTheDueTime,
  type WakingCall,
} from "../../helpers/script-wakes.ts";

function depart(queue: TestQueue, workerId: string): Promise<unknown> {
  return queue.run(leave, { workerId, wakeChannel: queue.wakeChannel });
}

describe("leave", () => {
  it("takes the worker's name out and nothing else, and once more changes nothing", async () => {
    const queue = openQueue();
    await queue.plantDelayed("a");
    const { token } = await claimJobs(queue, { workerId: "w1" });
    await claimJobs(queue, { workerId: "w2" });

    const { reply, changes } = await queue.watch(() => depart(queue, "w1"));
    expect(reply).toBe(1);
    expect(changes).toEqual({ claims: { w1: null }, waiting: { w1: null } });
    expect([...(await queue.part("processing")).keys()]).toEqual([`a:${token}`]);

    const again = await queue.watch(() => depart(queue, "w1"));
    expect(again.reply).toBe(1);
    expect(again.changes).toEqual({});
  });

  it("answers the same for a worker that was never there", async () => {
    const queue = openQueue();
    const { reply, changes } = await queue.watch(() => depart(queue, "nobody"));
    expect(reply).toBe(1);
    expect(changes).toEqual({});
  });

  it("takes any worker id", async () => {
    const queue = openQueue();
    for (const workerId of HOSTILE_IDS) {
      await claimJobs(queue, { workerId });
    }
    for (const workerId of HOSTILE_IDS) {
      const gone = Object.fromEntries([[workerId, null]]);
      const { changes } = await queue.watch(() => depart(queue, workerId));
      expect(changes).toEqual({ claims: gone, waiting: gone });
    }
  });
});

describe("leave wakes", () => {
  const waking: WakingCall = {
    async prepare(queue, dueInMs) {
      await queue.plantDelayed("a", dueInMs);
      await claimJobs(queue, { workerId: "leaver", wakeChannel: "", maxJobs: 0 });
    },
    call: (queue, wakeChannel) => queue.run(leave, { workerId: "leaver", wakeChannel }),
  };
  itKeepsTheRulesOfWaking(waking);
  itWakesNobodyWhilePaused(waking);
  itWakesByTheDueTime(waking);

  it("another worker when the one that watched the head goes", async () => {
    const queue = openQueue();
    await queue.plantDelayed("a", 20_000);
    expect((await claimJobs(queue, { workerId: "sentry" })).lookIn).toBeLessThanOrEqual(20_000);
    await claimJobs(queue, { workerId: "sleeper" });
    const wakes = await hearWakes(queue, ["sentry", "sleeper"]);
    await depart(queue, "sentry");
    expect(await wakes.woken()).toEqual(["sleeper"]);
  });

  it("nobody when one goes that did not watch", async () => {
    const queue = openQueue();
    await queue.plantDelayed("a", 20_000);
    await claimJobs(queue, { workerId: "sentry" });
    await claimJobs(queue, { workerId: "sleeper" });
    const wakes = await hearWakes(queue, ["sentry", "sleeper"]);
    await depart(queue, "sleeper");
    expect(await wakes.woken()).toEqual([]);
  });

  it("nobody where no job is delayed", async () => {
    const queue = openQueue();
    await queue.plantWaiting("w1", 50_000);
    const wakes = await hearWakes(queue, ["w1"]);
    await depart(queue, "w2");
    expect(await wakes.woken()).toEqual([]);
  });
});
