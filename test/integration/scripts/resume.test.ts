import { describe, expect, it } from "vitest";
import { pause, resume } from "../../../src/scripts/generated.ts";
import { claimJobs } from "../../helpers/script-claim.ts";
import { openQueue } from "../../helpers/script-harness.ts";
import {
  hearWakes,
  itKeepsTheRulesOfWaking,
  itWakesByTheDueTime,
  type WakingCall,
} from "../../helpers/script-wakes.ts";

describe("resume", () => {
  it("takes the mark away and nothing else, and once more changes nothing", async () => {
    const queue = openQueue();
    await queue.plantDelayed("a", 60_000);
    await queue.plantHeld("b", 7);
    await queue.client.hset(queue.keys.meta, "token", 7);
    await queue.run(pause, {});
    const call = () => queue.run(resume, { wakeChannel: queue.wakeChannel });

    const { reply, changes } = await queue.watch(call);
    expect(reply).toBe(1);
    expect(changes).toEqual({ meta: { paused: null } });

    const again = await queue.watch(call);
    expect(again.reply).toBe(1);
    expect(again.changes).toEqual({});
  });

  it("lets claims take jobs again", async () => {
    const queue = openQueue();
    await queue.plantDelayed("a");
    await queue.run(pause, {});
    expect((await claimJobs(queue, { request: 1 })).ids).toEqual([]);
    await queue.run(resume, { wakeChannel: queue.wakeChannel });
    expect((await claimJobs(queue, { request: 2 })).ids).toEqual(["a"]);
  });

  it("answers the same on a queue that is new", async () => {
    const queue = openQueue();
    const { reply, changes } = await queue.watch(() => queue.run(resume, { wakeChannel: "" }));
    expect(reply).toBe(1);
    expect(changes).toEqual({});
  });
});

describe("resume wakes", () => {
  const waking: WakingCall = {
    async prepare(queue, dueInMs) {
      await queue.plantDelayed("a", dueInMs);
      await queue.run(pause, {});
    },
    call: (queue, wakeChannel) => queue.run(resume, { wakeChannel }),
  };
  itKeepsTheRulesOfWaking(waking);
  itWakesByTheDueTime(waking);

  it("nobody where no job is delayed", async () => {
    const queue = openQueue();
    await queue.plantWaiting("w1", 50_000);
    const wakes = await hearWakes(queue, ["w1"]);
    await queue.run(resume, { wakeChannel: queue.wakeChannel });
    expect(await wakes.woken()).toEqual([]);
  });
});
