import { describe, expect, it } from "vitest";
import { ADMIN_BATCH_JOBS, REPLY_BYTES } from "../../../src/core/model/limits.ts";
import { peek } from "../../../src/scripts/generated.ts";
import { HOSTILE_IDS, manyIds, openQueue, type TestQueue } from "../../helpers/script-harness.ts";

async function look(
  queue: TestQueue,
  ids: readonly string[],
  maxBytes = REPLY_BYTES,
): Promise<unknown> {
  const { reply, changes } = await queue.watch(() => queue.run(peek, { maxBytes }, ids));
  expect(changes).toEqual({});
  return reply;
}

describe("peek", () => {
  it("tells each state, in the order of the ids", async () => {
    const queue = openQueue();
    const due = await queue.plantDelayed("delayed", 60_000, { attempts: 2, error: "boom" });
    const dueBefore = await queue.plantDelayed("due", -60_000);
    await queue.plantHeld("held", 7, 30_000, { attempts: 1 });
    const died = await queue.plantDead("dead", -5_000, { error: "bang", attempts: 9 });
    const expected = [
      ["delayed", due, "envelope of delayed", 2, "boom"],
      ["due", dueBefore, "envelope of due", 0, ""],
      ["processing", -1, "envelope of held", 1, ""],
      ["dead", died, "envelope of dead", 9, "bang"],
      ["gone", -1, "", 0, ""],
      ["gone", -1, "", 0, ""],
    ];
    const ids = ["delayed", "due", "held", "dead", "gone", "held:7"];
    expect(await look(queue, ids)).toEqual(expected.flat());
  });

  it("answers for an id named twice, and the same when asked again", async () => {
    const queue = openQueue();
    const due = await queue.plantDelayed("a", 60_000);
    const once = ["delayed", due, "envelope of a", 0, ""];
    expect(await look(queue, ["a", "a"])).toEqual([...once, ...once]);
    expect(await look(queue, ["a", "a"])).toEqual([...once, ...once]);
  });

  it.each([
    { maxBytes: 1, count: 1 },
    { maxBytes: 10, count: 1 },
    { maxBytes: 11, count: 2 },
    { maxBytes: 120, count: 12 },
    { maxBytes: 121, count: 13 },
    { maxBytes: 150, count: 15 },
    { maxBytes: 10_000, count: 15 },
  ])("stops once $maxBytes bytes are read", async ({ maxBytes, count }) => {
    const queue = openQueue();
    const ids = manyIds(15);
    await queue.plantMany(ids, (id) => queue.plantHeld(id, 1, 0, { envelope: "0123456789" }));
    const expected = ids.slice(0, count).flatMap(() => ["processing", -1, "0123456789", 0, ""]);
    expect(await look(queue, ids, maxBytes)).toEqual(expected);
  });

  it("gives one job at least, however large", async () => {
    const queue = openQueue();
    const envelope = "x".repeat(REPLY_BYTES + 1);
    await queue.plantHeld("a", 1, 0, { envelope });
    await queue.plantHeld("b", 1, 0);
    const reply = (await look(queue, ["a", "b"])) as unknown[];
    expect(reply).toHaveLength(5);
    expect(reply[2] === envelope).toBe(true);
  });

  it("stops where larger envelopes follow smaller ones", async () => {
    const queue = openQueue();
    await queue.plantHeld("a", 1, 0, { envelope: "x".repeat(10) });
    await queue.plantMany(["b", "c", "d"], (id) =>
      queue.plantHeld(id, 1, 0, { envelope: "x".repeat(60) }),
    );
    expect(await look(queue, ["a", "b", "c", "d"], 100)).toHaveLength(3 * 5);
  });

  it("counts no bytes for jobs that are gone", async () => {
    const queue = openQueue();
    const ids = manyIds(30);
    expect(await look(queue, ids, 1)).toEqual(ids.flatMap(() => ["gone", -1, "", 0, ""]));
  });

  it("takes a spoilt count for 0", async () => {
    const queue = openQueue();
    await queue.plantHeld("a", 1, 0, { envelope: "{}", attempts: "many" });
    expect(await look(queue, ["a"])).toEqual(["processing", -1, "{}", 0, ""]);
  });

  it("keeps the bytes of an envelope", async () => {
    const queue = openQueue();
    const envelope = Buffer.from([0, 255, 10, 13, 128]);
    await queue.plantHeld("a", 1, 0, { envelope });
    const reply = await queue.run(peek, { maxBytes: 100 }, ["a"], { asBuffers: true });
    expect((reply as Buffer[])[2]).toEqual(envelope);
  });

  it("takes any id", async () => {
    const queue = openQueue();
    await queue.plantMany(HOSTILE_IDS, (id) => queue.plantHeld(id, 1, 0, { error: `of ${id}` }));
    const expected = HOSTILE_IDS.map((id) => [
      "processing",
      -1,
      `envelope of ${id}`,
      0,
      `of ${id}`,
    ]);
    expect(await look(queue, HOSTILE_IDS)).toEqual(expected.flat());
  });

  it("takes the largest batch", async () => {
    const queue = openQueue();
    const ids = manyIds(ADMIN_BATCH_JOBS);
    await queue.plantMany(ids, (id) => queue.plantHeld(id, 1));
    const reply = (await look(queue, ids)) as unknown[];
    expect(reply.filter((_, at) => at % 5 === 2)).toEqual(ids.map((id) => `envelope of ${id}`));
  });
});
