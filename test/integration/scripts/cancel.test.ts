import { describe, expect, it } from "vitest";
import { cancel } from "../../../src/scripts/generated.ts";
import { HOSTILE_IDS, openQueue } from "../../helpers/script-harness.ts";

describe("cancel", () => {
  it.each([
    { when: "not yet due", inMs: 60_000 },
    { when: "due", inMs: -60_000 },
  ])("removes a job that is $when, and once more finds it gone", async ({ inMs }) => {
    const queue = openQueue();
    await queue.plantDelayed("a", inMs, { attempts: 2, error: "boom" });
    await queue.plantDelayed("other", inMs, { attempts: 1, error: "bang" });
    await queue.client.hset(queue.keys.meta, "cancelled", 4);
    const call = () => queue.run(cancel, { id: "a" });

    const { reply, changes } = await queue.watch(call);
    expect(reply).toBe("cancelled");
    expect(changes).toEqual({
      delayed: { a: null },
      jobs: { a: null },
      attempts: { a: null },
      errors: { a: null },
      meta: { cancelled: "5" },
    });

    const again = await queue.watch(call);
    expect(again.reply).toBe("gone");
    expect(again.changes).toEqual({});
  });

  it.each([
    ["-5", "1"],
    ["1e300", "1"],
    ["many", "1"],
    ["1.5", "2"],
  ])("counts on from a total of %s to %s", async (before, after) => {
    const queue = openQueue();
    await queue.plantDelayed("a", 0);
    await queue.client.hset(queue.keys.meta, "cancelled", before);
    const { changes } = await queue.watch(() => queue.run(cancel, { id: "a" }));
    expect(changes.meta).toEqual({ cancelled: after });
  });

  it("leaves a job alone that is elsewhere, and says where", async () => {
    const queue = openQueue();
    await queue.plantHeld("held", 7, 30_000, { attempts: 1 });
    await queue.plantHeld("expired", 7, -30_000);
    await queue.plantDead("dead", 0, { error: "boom" });
    for (const [id, place] of Object.entries({
      held: "processing",
      expired: "processing",
      dead: "dead",
      nothing: "gone",
      "held:7": "gone",
    })) {
      const { reply, changes } = await queue.watch(() => queue.run(cancel, { id }));
      expect(reply).toBe(place);
      expect(changes).toEqual({});
    }
  });

  it("takes any id", async () => {
    const queue = openQueue();
    await queue.plantMany(HOSTILE_IDS, (id) => queue.plantDelayed(id, 0, { attempts: 1 }));
    for (const [index, id] of HOSTILE_IDS.entries()) {
      const { reply, changes } = await queue.watch(() => queue.run(cancel, { id }));
      expect(reply).toBe("cancelled");
      const gone = Object.fromEntries([[id, null]]);
      expect(changes).toEqual({
        delayed: gone,
        jobs: gone,
        attempts: gone,
        meta: { cancelled: String(index + 1) },
      });
    }
  });
});
