import { describe, expect, it } from "vitest";
import { ADMIN_BATCH_JOBS, MAX_TIME_MS } from "../../../src/core/model/limits.ts";
import type { ScriptArguments } from "../../../src/core/store/script-runner.ts";
import { listDead } from "../../../src/scripts/generated.ts";
import { HOSTILE_IDS, manyIds, openQueue, type TestQueue } from "../../helpers/script-harness.ts";

async function list(
  queue: TestQueue,
  change: Partial<ScriptArguments<typeof listDead>> = {},
): Promise<unknown> {
  const args = { maxJobs: 10, afterId: "", afterMs: 0, untilMs: MAX_TIME_MS, ...change };
  const { reply, changes } = await queue.watch(() => queue.run(listDead, args));
  expect(changes).toEqual({});
  return reply;
}

async function plantDeadAt(queue: TestQueue, deaths: Record<string, number>): Promise<void> {
  for (const [id, diedAtMs] of Object.entries(deaths)) {
    await queue.plantJob(id, {});
    await queue.client.zadd(queue.keys.dead, diedAtMs, id);
  }
}

describe("list-dead", () => {
  it("lists nothing where nothing is dead", async () => {
    const queue = openQueue();
    await queue.plantDelayed("a");
    expect(await list(queue)).toEqual([]);
    expect(await list(queue, { afterId: "a", afterMs: 5 })).toEqual([]);
  });

  it("lists the oldest first, with the time of death to the millisecond", async () => {
    const queue = openQueue();
    await plantDeadAt(queue, { c: 1_700_000_000_003, a: 1_700_000_000_001, b: 1_700_000_000_001 });
    const expected = ["a", 1_700_000_000_001, "b", 1_700_000_000_001, "c", 1_700_000_000_003];
    expect(await list(queue)).toEqual(expected);
    expect(await list(queue)).toEqual(expected);
  });

  it("goes on after an entry, page by page, to the end", async () => {
    const queue = openQueue();
    await plantDeadAt(queue, { a: 10, b: 10, c: 20, d: 30, e: 30 });
    expect(await list(queue, { maxJobs: 2 })).toEqual(["a", 10, "b", 10]);
    const second = await list(queue, { maxJobs: 2, afterId: "b", afterMs: 10 });
    expect(second).toEqual(["c", 20, "d", 30]);
    expect(await list(queue, { maxJobs: 2, afterId: "d", afterMs: 30 })).toEqual(["e", 30]);
    expect(await list(queue, { maxJobs: 2, afterId: "e", afterMs: 30 })).toEqual([]);
  });

  it("finds its place after an entry that is no longer there", async () => {
    const queue = openQueue();
    await plantDeadAt(queue, { a: 10, b: 20, d: 20, e: 30 });
    const rest = ["d", 20, "e", 30];
    expect(await list(queue, { afterId: "c", afterMs: 20 })).toEqual(rest);
    expect(await list(queue, { afterId: "bb", afterMs: 20 })).toEqual(rest);
    expect(await list(queue, { afterId: "B", afterMs: 20 })).toEqual(["b", 20, ...rest]);
    expect(await list(queue, { afterId: "z", afterMs: 31 })).toEqual([]);
    expect(await list(queue, { afterId: "z", afterMs: 1 })).toEqual(["a", 10, "b", 20, ...rest]);
  });

  it("leaves nobody out after an entry that went round and died again", async () => {
    const queue = openQueue();
    await plantDeadAt(queue, { b: 20, c: 30, a: 40 });
    expect(await list(queue, { afterId: "a", afterMs: 10 })).toEqual(["b", 20, "c", 30, "a", 40]);
  });

  it("leaves out what died later than asked for", async () => {
    const queue = openQueue();
    await plantDeadAt(queue, { a: 10, b: 20, c: 21 });
    expect(await list(queue, { untilMs: 20 })).toEqual(["a", 10, "b", 20]);
    expect(await list(queue, { untilMs: 9 })).toEqual([]);
    expect(await list(queue, { untilMs: 20, afterId: "b", afterMs: 20 })).toEqual([]);
  });

  it("goes on after each of those that died in one millisecond, whatever their ids share", async () => {
    const queue = openQueue();
    const ids = ["job", "job-1", "job-10", "job-2", "job-20", "job-9", "joc"];
    await plantDeadAt(queue, Object.fromEntries(ids.map((id) => [id, 10])));
    for (const [index, id] of ids.entries()) {
      const rest = ids.slice(index + 1).flatMap((later) => [later, 10]);
      expect(await list(queue, { afterId: id, afterMs: 10 })).toEqual(rest);
    }
  });

  it("lists any id and goes on after it", async () => {
    const queue = openQueue();
    await queue.plantMany(HOSTILE_IDS, (id) => queue.plantDead(id));
    const page = (await list(queue, { maxJobs: 100 })) as [string, number];
    const ids = page.filter((_, at) => at % 2 === 0);
    expect(ids.toSorted()).toEqual(HOSTILE_IDS.toSorted());
    for (const [index, id] of ids.entries()) {
      const afterMs = page[index * 2 + 1]!;
      const next = await list(queue, { maxJobs: 1, afterId: String(id), afterMs });
      expect((next as unknown[])[0]).toBe(ids[index + 1]);
    }
  });

  it("takes the largest page", async () => {
    const queue = openQueue();
    const ids = manyIds(ADMIN_BATCH_JOBS + 1);
    await plantDeadAt(queue, Object.fromEntries(ids.map((id) => [id, 9_007_199_254_740_001])));
    const page = await list(queue, { maxJobs: ADMIN_BATCH_JOBS });
    expect(page).toEqual(ids.slice(0, -1).flatMap((id) => [id, 9_007_199_254_740_001]));
  });
});
