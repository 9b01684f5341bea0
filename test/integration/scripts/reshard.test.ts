import { describe, expect, it } from "vitest";
import { enqueue, reshard } from "../../../src/scripts/generated.ts";
import { openQueue } from "../../helpers/script-harness.ts";

describe("reshard", () => {
  it("notes the number of shards where there is none yet", async () => {
    const queue = openQueue();
    const first = await queue.watch(() => queue.run(reshard, { note: 4, from: 0 }));
    expect(first).toMatchObject({ reply: 1, changes: { meta: { shards: "4" } } });
    const again = await queue.watch(() => queue.run(reshard, { note: 4, from: 0 }));
    expect(again).toMatchObject({ reply: 1, changes: {} });
  });

  it("changes it where no job is left, and keeps the rest of meta", async () => {
    const queue = openQueue();
    await queue.client.hset(queue.keys.meta, "shards", 4, "token", 7, "version", 1);
    const { reply, changes } = await queue.watch(() => queue.run(reshard, { note: 2, from: 4 }));
    expect(reply).toBe(1);
    expect(changes).toEqual({ meta: { shards: "2" } });
  });

  it("notes the mark of a change, with which enqueue stores nothing, and takes it back", async () => {
    const queue = openQueue();
    await queue.client.hset(queue.keys.meta, "shards", 4, "version", 1);
    for (const [from, note] of [
      ["4", "4:a"],
      ["4:a", "4:b"],
    ]) {
      const watched = await queue.watch(() => queue.run(reshard, { note: note!, from: from! }));
      expect(watched).toMatchObject({ reply: 1, changes: { meta: { shards: note } } });
      const args = { wakeChannel: "", dataVersion: 1, shards: 4 };
      const refused = await queue.watch(() => queue.run(enqueue, args, ["a", "envelope", "+0"]));
      expect(refused).toMatchObject({ reply: [-1, note], changes: {} });
    }
    expect(await queue.run(reshard, { note: "4", from: "4:a" })).toBe(0);
    expect(await queue.run(reshard, { note: "4", from: "4:b" })).toBe(1);
    expect(await queue.client.hget(queue.keys.meta, "shards")).toBe("4");
  });

  it.each([["4"], [undefined]])("refuses where jobs lie here, with %s noted", async (noted) => {
    const queue = openQueue();
    await queue.plantDead("a");
    if (noted) await queue.client.hset(queue.keys.meta, "shards", noted);
    for (const _ of ["first", "again"]) {
      const { reply, changes } = await queue.watch(() => queue.run(reshard, { note: 2, from: 4 }));
      expect(reply).toBe(0);
      expect(changes).toEqual({});
    }
  });

  it("refuses where another number is noted than the caller found", async () => {
    const queue = openQueue();
    await queue.client.hset(queue.keys.meta, "shards", 3);
    for (const from of [0, 4]) {
      const { reply, changes } = await queue.watch(() => queue.run(reshard, { note: 2, from }));
      expect(reply).toBe(0);
      expect(changes).toEqual({});
    }
  });

  it("lets jobs be where their number is noted again", async () => {
    const queue = openQueue();
    await queue.plantDead("a");
    await queue.client.hset(queue.keys.meta, "shards", 2);
    const { reply, changes } = await queue.watch(() => queue.run(reshard, { note: 2, from: 4 }));
    expect(reply).toBe(1);
    expect(changes).toEqual({});
  });
});
