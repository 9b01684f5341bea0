/** What `mend` may conclude where there are too many leases to search. */
import { describe, expect, it } from "vitest";
import { mend } from "../../../src/scripts/generated.ts";
import { claimJobs } from "../../helpers/script-claim.ts";
import { openQueue, type TestQueue } from "../../helpers/script-harness.ts";

/** Searches nothing. */
const UNSEARCHED = { mends: 1, maxLeases: 0, scanToken: "" };

async function withTwoLeases(): Promise<TestQueue> {
  const queue = openQueue();
  await queue.plantHeld("held", 7);
  await queue.plantHeld("other", 8);
  await queue.client.hset(queue.keys.meta, "token", 8);
  return queue;
}

describe("mend with more leases than it may search", () => {
  it("calls a job in no place unknown, and leaves it alone", async () => {
    const queue = await withTwoLeases();
    await queue.plantJob("orphan", {});
    const { reply, changes } = await queue.watch(() =>
      queue.runOnBreach(mend, UNSEARCHED, ["held", "", "orphan", ""]),
    );
    expect(reply).toEqual(["unknown", "", "unknown", ""]);
    expect(changes).toEqual({});
  });

  it("takes no scan for one where the token counter is spoilt", async () => {
    const queue = await withTwoLeases();
    await queue.client.hset(queue.keys.meta, "token", "");
    const reply = await queue.runOnBreach(mend, UNSEARCHED, ["held", ""]);
    expect(reply).toEqual(["unknown", ""]);
  });

  it("leaves the rest of such a job alone as well: its holder may settle all of it", async () => {
    const queue = await withTwoLeases();
    await queue.plantJob("orphan", { attempts: "many" });
    await queue.plantScore("processing", "orphan", 0);
    const { reply, changes } = await queue.watch(() =>
      queue.runOnBreach(mend, UNSEARCHED, ["orphan", ""]),
    );
    expect(reply).toEqual(["unknown", "lease without a token,attempts that are no number"]);
    expect(changes).toEqual({});
  });

  it("takes the word of a scan since which nothing was claimed", async () => {
    const queue = await withTwoLeases();
    await queue.plantJob("orphan", {});
    const args = { ...UNSEARCHED, scanToken: "8" };
    const { reply, changes } = await queue.watch(() =>
      queue.run(mend, args, ["held", "7", "orphan", ""]),
    );
    expect(reply).toEqual(["sound", "lease 7", "orphan", ""]);
    expect(Object.keys(changes)).toEqual(["delayed"]);
  });

  it("does so also before the first claim", async () => {
    const queue = openQueue();
    await queue.plantJob("orphan", {});
    const args = { ...UNSEARCHED, maxLeases: -1, scanToken: "none" };
    expect(await queue.run(mend, args, ["orphan", ""])).toEqual(["orphan", ""]);
  });

  it("does not take it once a job was claimed: the claimed job may be this one", async () => {
    const queue = await withTwoLeases();
    await queue.plantDelayed("late", -1_000);
    const { token } = await claimJobs(queue, {});
    expect(token).toBeGreaterThan(8);
    const args = { ...UNSEARCHED, scanToken: "8" };
    const { reply, changes } = await queue.watch(() => queue.run(mend, args, ["late", ""]));
    expect(reply).toEqual(["unknown", ""]);
    expect(changes).toEqual({});
  });

  it("checks that the leases a scan saw are still there", async () => {
    const queue = await withTwoLeases();
    await queue.client.zrem(queue.keys.processing, "held:7");
    const list = ["held", "7"];
    expect(await queue.runOnBreach(mend, UNSEARCHED, list)).toEqual(["unknown", ""]);
    const args = { ...UNSEARCHED, scanToken: "8" };
    expect(await queue.run(mend, args, list)).toEqual(["orphan", ""]);
  });

  it("mends a double among the leases a scan saw, whatever else was claimed", async () => {
    const queue = await withTwoLeases();
    await queue.plantHeld("held", 6);
    await queue.plantDelayed("held");
    await queue.plantDead("held");
    const { reply, changes } = await queue.watch(() =>
      queue.run(mend, UNSEARCHED, ["held", "6,7"]),
    );
    expect(reply).toEqual(["double", "lease 7,lease 6,delayed,dead"]);
    expect(changes).toEqual({
      processing: { "held:6": null },
      delayed: { held: null },
      dead: { held: null },
    });
  });

  it("judges whatever has no envelope, for no holder can settle that", async () => {
    const queue = await withTwoLeases();
    await queue.plantScore("processing", "lost:3", 0);
    await queue.plantScore("processing", "lost:5", 0);
    await queue.plantScore("dead", "gone", 0);
    const list = ["lost", "3,5", "gone", "", "nothing", ""];
    expect(await queue.run(mend, UNSEARCHED, list)).toEqual([
      "dangling",
      "lease 5,lease 3",
      "dangling",
      "dead",
      "sound",
      "",
    ]);
  });
});
