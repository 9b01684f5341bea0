import { describe, expect, it } from "vitest";
import { MAX_DURATION_MS, MAX_TIME_MS } from "../../../src/core/model/limits.ts";
import { reschedule } from "../../../src/scripts/generated.ts";
import {
  expectWithin,
  HOSTILE_IDS,
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

function move(queue: TestQueue, id: string, dueText: string): Promise<unknown> {
  return queue.run(reschedule, { wakeChannel: queue.wakeChannel, id, dueText });
}

describe("reschedule", () => {
  it.each([
    { when: "not yet due", inMs: 60_000 },
    { when: "due", inMs: -60_000 },
  ])("sets the time of a job that is $when, and once more changes nothing", async ({ inMs }) => {
    const queue = openQueue();
    await queue.plantDelayed("a", inMs, { attempts: 2, error: "boom" });
    await queue.plantDelayed("other", inMs);
    const call = () => move(queue, "a", "1700000000123");

    const { reply, changes } = await queue.watch(call);
    expect(reply).toEqual(["rescheduled", 1_700_000_000_123]);
    expect(changes).toEqual({ delayed: { a: "1700000000123" } });

    const again = await queue.watch(call);
    expect(again.reply).toEqual(["rescheduled", 1_700_000_000_123]);
    expect(again.changes).toEqual({});
  });

  it("counts a delay from the time of each call", async () => {
    const queue = openQueue();
    await queue.plantDelayed("a", 60_000);
    for (const shiftMs of [0, 10_000]) {
      await queue.moveTime(shiftMs);
      const { reply, changes, from, to } = await queue.watch(() => move(queue, "a", "+5000"));
      const due = changes.delayed?.["a"];
      expectWithin(due, from + 5_000, to + 5_000);
      expect(reply).toEqual(["rescheduled", Number(due)]);
      expect(changes).toEqual({ delayed: { a: due } });
    }
  });

  it.each(["0", "1", "9007199254740001"])(
    "keeps the time %s to the millisecond",
    async (dueText) => {
      const queue = openQueue();
      await queue.plantDelayed("a", 60_000);
      expect(await move(queue, "a", dueText)).toEqual(["rescheduled", Number(dueText)]);
      expect(await queue.part("delayed")).toEqual(new Map([["a", dueText]]));
    },
  );

  it("takes the longest delay and the latest time", async () => {
    const queue = openQueue();
    await queue.plantDelayed("a", 60_000);
    const { changes, from, to } = await queue.watch(() => move(queue, "a", `+${MAX_DURATION_MS}`));
    expectWithin(changes.delayed?.["a"], from + MAX_DURATION_MS, to + MAX_DURATION_MS);
    await move(queue, "a", String(MAX_TIME_MS));
    expect(await queue.part("delayed")).toEqual(new Map([["a", String(MAX_TIME_MS)]]));
  });

  it("leaves a job alone that is elsewhere, and says where", async () => {
    const queue = openQueue();
    await queue.plantHeld("held", 7, 30_000, { attempts: 1 });
    await queue.plantDead("dead", 0, { error: "boom" });
    for (const [id, place] of Object.entries({
      held: "processing",
      dead: "dead",
      nothing: "gone",
      "held:7": "gone",
    })) {
      const { reply, changes } = await queue.watch(() => move(queue, id, "+0"));
      expect(reply).toEqual([place, -1]);
      expect(changes).toEqual({});
    }
  });

  it("takes any id", async () => {
    const queue = openQueue();
    await queue.plantMany(HOSTILE_IDS, (id) => queue.plantDelayed(id, 60_000));
    for (const [index, id] of HOSTILE_IDS.entries()) {
      const { reply, changes } = await queue.watch(() => move(queue, id, String(index)));
      expect(reply).toEqual(["rescheduled", index]);
      expect(changes).toEqual({ delayed: Object.fromEntries([[id, String(index)]]) });
    }
  });
});

describe("reschedule wakes", () => {
  const waking: WakingCall = {
    prepare: (queue) => queue.plantDelayed("a", 100_000),
    call: (queue, wakeChannel, dueInMs) =>
      queue.run(reschedule, { wakeChannel, id: "a", dueText: `+${dueInMs}` }),
  };
  itKeepsTheRulesOfWaking(waking);
  itWakesNobodyWhilePaused(waking);
  itWakesByTheDueTime(waking);

  it("nobody for a job that is not delayed", async () => {
    const queue = openQueue();
    await queue.plantHeld("a", 7);
    await queue.plantWaiting("w1", 50_000);
    const wakes = await hearWakes(queue, ["w1"]);
    await move(queue, "a", "+0");
    expect(await wakes.woken()).toEqual([]);
  });
});
