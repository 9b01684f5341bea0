import { describe, expect, it } from "vitest";
import type { KeyPart } from "../../../src/core/store/keys.ts";
import { enqueue, open } from "../../../src/scripts/generated.ts";
import { openQueue } from "../../helpers/script-harness.ts";

describe("open", () => {
  it("answers version 0 for a new queue, and creates nothing", async () => {
    const queue = openQueue();
    for (const _ of ["first", "again"]) {
      const { reply, changes } = await queue.watch(() => queue.run(open, {}));
      expect(reply).toEqual([0, "0", 0]);
      expect(changes).toEqual({});
    }
  });

  it("answers what the first enqueue wrote down, and how many jobs there are", async () => {
    const queue = openQueue();
    await queue.run(enqueue, { wakeChannel: "", dataVersion: 3, shards: 2 }, ["a", "{}", "+0"]);
    expect(await queue.run(open, {})).toEqual([3, "2", 1]);
  });

  it.each(["none", "", "1.x"])("answers 0 for the version %j", async (version) => {
    const queue = openQueue();
    await queue.client.hset(queue.keys.meta, "version", version);
    expect(await queue.run(open, {})).toEqual([0, "0", 0]);
  });

  it.each(["none", "4:a change"])("answers the note %j of the shards as it is", async (note) => {
    const queue = openQueue();
    await queue.client.hset(queue.keys.meta, "shards", note);
    expect(await queue.run(open, {})).toEqual([0, note, 0]);
  });

  it("accepts all nine keys where each has its type", async () => {
    const queue = openQueue();
    await queue.plantDelayed("a", 0, { attempts: 1, error: "boom" });
    await queue.plantHeld("b", 1);
    await queue.plantDead("c");
    await queue.plantWaiting("w1", 0);
    await queue.client.hset(queue.keys.claims, "w1", "");
    await queue.client.hset(queue.keys.meta, "version", 1);
    expect(await queue.run(open, {})).toEqual([1, "0", 3]);
  });

  it("names each part that is of another type", async () => {
    const queue = openQueue();
    const parts = Object.keys(queue.keys) as KeyPart[];
    for (const part of parts) {
      await queue.client.set(queue.keys[part], "not ours");
      const { reply, changes } = await queue.watch(() => queue.runOnBreach(open, {}));
      expect(reply).toEqual([0, "0", 0, part]);
      expect(changes).toEqual({});
      await queue.client.del(queue.keys[part]);
    }
    for (const part of parts) {
      await queue.client.rpush(queue.keys[part], "not ours");
    }
    expect(await queue.runOnBreach(open, {})).toEqual([0, "0", 0, ...parts]);
  });
});
