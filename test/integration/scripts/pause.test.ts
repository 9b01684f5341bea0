import { describe, expect, it } from "vitest";
import { pause } from "../../../src/scripts/generated.ts";
import { claimJobs } from "../../helpers/script-claim.ts";
import { openQueue } from "../../helpers/script-harness.ts";

describe("pause", () => {
  it("marks the queue and nothing else, and once more changes nothing", async () => {
    const queue = openQueue();
    await queue.plantDelayed("a");
    await queue.plantHeld("b", 7);
    await queue.plantWaiting("w1", 50_000);
    await queue.client.hset(queue.keys.meta, "token", 7);

    const { reply, changes } = await queue.watch(() => queue.run(pause, {}));
    expect(reply).toBe(1);
    expect(changes).toEqual({ meta: { paused: "1" } });

    const again = await queue.watch(() => queue.run(pause, {}));
    expect(again.reply).toBe(1);
    expect(again.changes).toEqual({});
  });

  it("makes claims give nothing", async () => {
    const queue = openQueue();
    await queue.plantDelayed("a");
    await queue.run(pause, {});
    expect((await claimJobs(queue)).ids).toEqual([]);
  });

  it("works on a queue that is new", async () => {
    const queue = openQueue();
    expect(await queue.run(pause, {})).toBe(1);
    expect(await queue.part("meta")).toEqual(new Map([["paused", "1"]]));
  });
});
