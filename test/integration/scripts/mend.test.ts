import { describe, expect, it } from "vitest";
import { ADMIN_BATCH_JOBS, MEND_MAX_LEASES } from "../../../src/core/model/limits.ts";
import { mend } from "../../../src/scripts/generated.ts";
import {
  expectWithin,
  HOSTILE_IDS,
  manyIds,
  openQueue,
  type TestQueue,
  type Watched,
} from "../../helpers/script-harness.ts";

const LOOK = { mends: 0, maxLeases: MEND_MAX_LEASES, scanToken: "" };
const MEND = { ...LOOK, mends: 1 };

/** As the script takes them: no scan has seen any lease of them. */
function unseen(ids: readonly string[]): string[] {
  return ids.flatMap((id) => [id, ""]);
}

/** The kinds of a reply, without where they were found. */
function kindsOf(reply: unknown): string[] {
  return (reply as string[]).filter((_, at) => at % 2 === 0);
}

/** Looks, which must change nothing; mends; and looks again, which must find all sound. */
async function lookAndMend(queue: TestQueue, ids: readonly string[], kinds: readonly string[]) {
  const looked = await queue.watch(() => queue.runOnBreach(mend, LOOK, unseen(ids)));
  expect(kindsOf(looked.reply)).toEqual(kinds);
  expect(looked.changes).toEqual({});
  const mended = () => queue.run(mend, MEND, unseen(ids));
  const first: Watched = await queue.watch(mended);
  expect(first.reply).toEqual(looked.reply);
  const again = await queue.watch(mended);
  expect(kindsOf(again.reply)).toEqual(kinds.map(() => "sound"));
  expect(again.changes).toEqual({});
  return first;
}

describe("mend", () => {
  it("finds jobs sound that are in one place, and ids that are nowhere", async () => {
    const queue = openQueue();
    await queue.plantDelayed("delayed", 60_000, { attempts: 1, error: "boom" });
    await queue.plantHeld("held", 7);
    await queue.plantDead("dead");
    const ids = ["delayed", "held", "dead", "nothing", "held:7"];
    const { changes } = await lookAndMend(queue, ids, Array(5).fill("sound"));
    expect(changes).toEqual({});
  });

  it("makes an orphan due now", async () => {
    const queue = openQueue();
    await queue.plantJob("a", { attempts: 2, error: "boom" });
    const { changes, from, to } = await lookAndMend(queue, ["a"], ["orphan"]);
    const due = changes.delayed?.["a"];
    expectWithin(due, from, to);
    expect(changes).toEqual({ delayed: { a: due } });
  });

  it("keeps the strongest of several places", async () => {
    const queue = openQueue();
    const kept = await queue.plantHeld("leased", 9, 1_000);
    await queue.plantHeld("leased", 10, 2_000);
    await queue.plantDelayed("leased");
    await queue.plantDead("leased");
    await queue.plantDelayed("waits", 60_000);
    await queue.plantDead("waits");
    await queue.plantHeld("dies", 3);
    await queue.plantDead("dies");
    const ids = ["leased", "waits", "dies"];
    const { changes } = await lookAndMend(queue, ids, Array(3).fill("double"));
    expect(kept).toBeGreaterThan(0);
    expect(changes).toEqual({
      processing: { "leased:9": null },
      delayed: { leased: null },
      dead: { leased: null, waits: null, dies: null },
    });
  });

  it("removes what names no job", async () => {
    const queue = openQueue();
    await queue.plantScore("delayed", "delayed", 0);
    await queue.plantScore("dead", "dead", 0);
    await queue.plantScore("processing", "leased:1", 0);
    await queue.plantScore("processing", "leased:2", 0);
    await queue.plantScore("processing", "no lease", 0);
    await queue.client.hset(queue.keys.attempts, "attempts", 1);
    await queue.client.hset(queue.keys.errors, "error", "boom");
    await queue.plantHeld("sound", 1);
    const ids = ["delayed", "dead", "leased", "no lease", "attempts", "error"];
    const { changes } = await lookAndMend(queue, ids, Array(6).fill("dangling"));
    expect(changes).toEqual({
      delayed: { delayed: null },
      dead: { dead: null },
      processing: { "leased:1": null, "leased:2": null, "no lease": null },
      attempts: { attempts: null },
      errors: { error: null },
    });
  });

  it("says where it found them", async () => {
    const queue = openQueue();
    await queue.plantHeld("double", 9);
    await queue.plantHeld("double", 10);
    await queue.plantDelayed("double");
    await queue.plantDead("double");
    await queue.client.hset(queue.keys.attempts, "dangling", 1);
    await queue.client.hset(queue.keys.errors, "dangling", "boom");
    await queue.plantJob("orphan", {});
    await queue.plantDelayed("sound");
    const ids = unseen(["double", "dangling", "orphan", "sound"]);
    expect(await queue.runOnBreach(mend, LOOK, ids)).toEqual([
      "double",
      "lease 10,lease 9,delayed,dead",
      "dangling",
      "attempts,errors",
      "orphan",
      "",
      "sound",
      "delayed",
    ]);
  });

  it("removes what cannot be read, and keeps the job", async () => {
    const queue = openQueue();
    await queue.plantJob("homeless", {});
    await queue.plantScore("processing", "homeless", 1_000);
    await queue.plantDelayed("twice");
    await queue.plantScore("processing", "twice", 1_000);
    await queue.plantHeld("counted", 3, 1_000, { attempts: "many", error: "boom" });
    await queue.plantDead("buried", 0, { attempts: "-1" });
    const ids = ["homeless", "twice", "counted", "buried"];
    const kinds = ["orphan", "malformed", "malformed", "malformed"];
    const { changes } = await lookAndMend(queue, ids, kinds);
    expect(changes).toEqual({
      delayed: { homeless: changes.delayed?.["homeless"] },
      processing: { homeless: null, twice: null },
      attempts: { counted: null, buried: null },
    });
  });

  it.each([
    ["searched for", MEND, ""],
    ["seen by a scan", { ...MEND, maxLeases: 0, scanToken: "none" }, "1,2"],
  ])("looks at an id named twice as two calls would, its leases %s", async (_, args, tokens) => {
    const queue = openQueue();
    await queue.plantJob("orphan", {});
    await queue.plantScore("delayed", "dangling", 0);
    await queue.plantHeld("double", 1);
    await queue.plantHeld("double", 2);
    const orphans = unseen(["orphan", "orphan", "dangling", "dangling"]);
    const reply = await queue.run(mend, args, [...orphans, "double", tokens, "double", tokens]);
    expect(kindsOf(reply)).toEqual(["orphan", "sound", "dangling", "sound", "double", "sound"]);
  });

  it("tells ids apart that look like leases", async () => {
    const queue = openQueue();
    await queue.plantMany(HOSTILE_IDS, async (id) => {
      await queue.plantHeld(id, 1);
      await queue.plantHeld(id, 2);
    });
    const kinds = HOSTILE_IDS.map(() => "double");
    const { changes } = await lookAndMend(queue, HOSTILE_IDS, kinds);
    const removed = HOSTILE_IDS.map((id) => [`${id}:1`, null]);
    expect(changes).toEqual({ processing: Object.fromEntries(removed) });
  });

  it("finds one id among as many leases as it may search", async () => {
    const queue = openQueue();
    const ids = manyIds(MEND_MAX_LEASES - 1);
    const jobs = ids.flatMap((id) => [id, "envelope"]);
    await queue.client.hset(queue.keys.jobs, "held", "envelope", ...jobs);
    const leases = ids.flatMap((id) => ["1000", `${id}:1`]);
    await queue.client.zadd(queue.keys.processing, "1000", "held:1", ...leases);
    expect(kindsOf(await queue.run(mend, MEND, unseen(["held"])))).toEqual(["sound"]);
  });

  it("takes the largest batch", async () => {
    const queue = openQueue();
    const ids = manyIds(ADMIN_BATCH_JOBS);
    await queue.plantMany(ids, (id) => queue.plantJob(id, {}));
    const { changes } = await lookAndMend(
      queue,
      ids,
      ids.map(() => "orphan"),
    );
    expect(Object.keys(changes.delayed ?? {})).toEqual(ids);
  });
});
