/** What `errors` holds: the last failure, and how the last delivery ended. */
import { describe, expect, it } from "vitest";
import { bury, claim, nack, peek, reap, redrive } from "../../../src/scripts/generated.ts";
import { claimArguments, claimJobs } from "../../helpers/script-claim.ts";
import { manyIds, openQueue, type TestQueue } from "../../helpers/script-harness.ts";

const LOST_LEASE = "lease expired: its worker stopped extending it";
/** Texts that would say something else if they stood in `errors` as they are. */
const MISLEADING = ["\u0001", "\u0001boom", "\u0002", "\u0002boom", "\u0003boom", LOST_LEASE];
const [release, failure] = [0, 1];

function giveBack(queue: TestQueue, counts: number, error: string, token = 7): Promise<unknown> {
  return queue.run(nack, { wakeChannel: "" }, ["a", token, 0, counts, error]);
}

async function lastError(queue: TestQueue): Promise<unknown> {
  return ((await queue.run(peek, { maxBytes: 1_000 }, ["a"])) as unknown[])[4];
}

/** Claims job `a` until it has been given back in each of these ways, and once more. */
async function afterEndings(
  queue: TestQueue,
  endings: readonly ((token: number) => Promise<unknown>)[],
): Promise<{ attempts: number; reason: string; error: unknown; stored: string | undefined }> {
  await queue.plantDelayed("a");
  let request = 0;
  const take = () => claimJobs(queue, { request: (request += 1) });
  for (const end of endings) await end((await take()).token);
  const stored = (await queue.part("errors")).get("a");
  const { attempts, reason } = (await take()).jobs[0]!;
  return { attempts, reason, error: await lastError(queue), stored };
}

describe("a claim tells how the last delivery ended:", () => {
  const expire = (queue: TestQueue) => async () => {
    await queue.moveTime(31_000);
    await queue.run(reap, { maxJobs: 10, wakeChannel: "" }, [0]);
  };
  const end = (queue: TestQueue, counts: number, error: string) => (token: number) =>
    giveBack(queue, counts, error, token);
  const revive = (queue: TestQueue, reason: string) => async (token: number) => {
    await queue.run(bury, {}, ["a", token, 1, reason]);
    await queue.run(redrive, { wakeChannel: "" }, ["a"]);
  };

  it("not at all, where there was none", async () => {
    const seen = await afterEndings(openQueue(), []);
    expect(seen).toEqual({ attempts: 0, reason: "first", error: "", stored: undefined });
  });

  it.each(["boom", ""])("a failure, with the error %j", async (error) => {
    const queue = openQueue();
    const seen = await afterEndings(queue, [end(queue, failure, error)]);
    expect(seen).toMatchObject({ attempts: 1, reason: "retry", error });
  });

  it("a lost lease", async () => {
    const queue = openQueue();
    const seen = await afterEndings(queue, [expire(queue)]);
    expect(seen).toMatchObject({ attempts: 1, reason: "lease_expired", error: LOST_LEASE });
  });

  it.each(["", "note"])("a release, with the note %j", async (note) => {
    const queue = openQueue();
    const seen = await afterEndings(queue, [end(queue, release, note)]);
    expect(seen).toMatchObject({ attempts: 0, reason: "released", error: note });
  });

  it("a redrive", async () => {
    const queue = openQueue();
    const seen = await afterEndings(queue, [end(queue, failure, "x"), revive(queue, "boom")]);
    expect(seen).toMatchObject({ attempts: 0, reason: "redrive", error: "" });
  });

  it("only the last one, whatever was before, and marks do not pile up", async () => {
    const queue = openQueue();
    const [released, failed] = [end(queue, release, ""), end(queue, failure, "")];
    const boom = end(queue, failure, "boom");
    const ways = [
      { endings: [boom, released], reason: "released", stored: "\u0001boom" },
      { endings: [boom, released, released], reason: "released", stored: "\u0001boom" },
      { endings: [boom, released, failed], reason: "retry", stored: "boom" },
      { endings: [released, released], reason: "released", stored: "\u0001" },
      { endings: [released, failed], reason: "retry", stored: undefined },
      { endings: [released, expire(queue)], reason: "lease_expired", stored: LOST_LEASE },
      { endings: [expire(queue), released], reason: "released", stored: `\u0001${LOST_LEASE}` },
      { endings: [expire(queue), failed], reason: "retry", stored: `\u0003${LOST_LEASE}` },
      { endings: [boom, revive(queue, "x"), released], reason: "released", stored: "\u0001" },
      { endings: [revive(queue, "x"), failed], reason: "retry", stored: undefined },
      { endings: [released, revive(queue, "x")], reason: "redrive", stored: "\u0002" },
    ];
    for (const { endings, reason, stored } of ways) {
      const seen = await afterEndings(queue, endings);
      expect(seen).toMatchObject({ reason, stored });
      await queue.clear();
    }
  });

  it.each(MISLEADING)("a failure, whatever its text: %j", async (text) => {
    const queue = openQueue();
    expect(await afterEndings(queue, [end(queue, failure, text)])).toMatchObject({
      reason: "retry",
      error: text,
    });
    await queue.clear();
    const releasedAfter = [end(queue, failure, text), end(queue, release, "")];
    expect(await afterEndings(queue, releasedAfter)).toMatchObject({
      reason: "released",
      error: text,
      stored: `\u0001${text}`,
    });
  });

  it.each(["\nboom", "\0boom", "\u0004boom", "boom\u0001"])("a failure: %j", async (text) => {
    const queue = openQueue();
    const seen = await afterEndings(queue, [end(queue, failure, text)]);
    expect(seen).toMatchObject({ reason: "retry", error: text, stored: text });
  });

  it.each(MISLEADING)("a release, whatever its note: %j", async (text) => {
    const queue = openQueue();
    const seen = await afterEndings(queue, [end(queue, release, text)]);
    expect(seen).toMatchObject({ reason: "released", error: text });
  });

  it("of each of many jobs, by their places", async () => {
    const queue = openQueue();
    const now = (await queue.nowMs()) - 1_000;
    const ids = manyIds(6);
    await queue.plantMany(ids, (id) => queue.plantJob(id, {}));
    await queue.client.zadd(queue.keys.delayed, ...ids.flatMap((id) => [now, id]));
    await queue.plantScore("delayed", "job-0000a", -1_000_000); // no job: it takes no place
    await queue.client.hset(queue.keys.attempts, {
      [ids[1]!]: 3,
      [ids[3]!]: "spoilt",
      [ids[5]!]: 1,
    });
    await queue.client.hset(queue.keys.errors, { [ids[2]!]: "\u0002", [ids[5]!]: LOST_LEASE });
    const reply = await queue.runOnBreach(claim, claimArguments(queue, {}));
    const jobs = ids.flatMap((id) => [id, `envelope of ${id}`, now]);
    const history = [2, 3, "retry", 3, 0, "redrive", 6, 1, "lease_expired"];
    expect((reply as unknown[]).slice(4)).toEqual([6, ...jobs, ...history]);
  });

  it("also where only `errors` tells", async () => {
    const queue = openQueue();
    await queue.plantDelayed("a", 0, { error: "boom" });
    expect((await claimJobs(queue)).jobs).toMatchObject([{ attempts: 0, reason: "retry" }]);
  });
});

describe("a burial", () => {
  it("lets the last error stand, without a mark", async () => {
    const queue = openQueue();
    const entries = { boom: "\u0001boom", none: "\u0001", revived: "\u0002", "": "plain" };
    for (const [text, error] of Object.entries(entries)) {
      await queue.plantHeld(`a${text}`, 7, 30_000, { error });
    }
    const list = Object.keys(entries).flatMap((text) => [`a${text}`, 7, 0, ""]);
    const { changes } = await queue.watch(() => queue.run(bury, {}, list));
    expect(changes.errors).toEqual({ aboom: "boom", anone: null, arevived: null });
  });

  it.each(MISLEADING)("keeps the reason %j as it is", async (reason) => {
    const queue = openQueue();
    await queue.plantHeld("a", 7);
    await queue.run(bury, {}, ["a", 7, 1, reason]);
    expect(await lastError(queue)).toBe(reason);
  });
});

describe("a second lost lease in a row waits its backoff", () => {
  it.each([
    { error: `\u0001${LOST_LEASE}`, waitsMs: 60_000 }, // a release between the two counts for nothing
    { error: `\u0003${LOST_LEASE}`, waitsMs: 0 }, // a failure without a text between the two does
    { error: "\u0002", waitsMs: 0 },
    { error: "\u0001boom", waitsMs: 0 },
  ])("after $error: $waitsMs ms", async ({ error, waitsMs }) => {
    const queue = openQueue();
    await queue.plantHeld("a", 7, -1_000, { error });
    const { changes, from } = await queue.watch(() =>
      queue.run(reap, { maxJobs: 10, wakeChannel: "" }, [60_000]),
    );
    expect(Number(changes.delayed?.["a"]) >= from + 60_000).toBe(waitsMs > 0);
    expect(changes.errors).toEqual({ a: LOST_LEASE });
  });
});
