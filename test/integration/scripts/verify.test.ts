import { describe, expect, it } from "vitest";
import { VERIFY_PAGE_ENTRIES } from "../../../src/core/model/limits.ts";
import { verify } from "../../../src/scripts/generated.ts";
import { claimJobs } from "../../helpers/script-claim.ts";
import { HOSTILE_IDS, manyIds, openQueue, type TestQueue } from "../../helpers/script-harness.ts";

const PARTS = ["processing", "jobs", "delayed", "dead", "attempts", "errors"];

/** All pages of a part: how many entries were looked at, and the findings as sorted "kind id". */
async function look(queue: TestQueue, part: string, pageSize = VERIFY_PAGE_ENTRIES) {
  const findings: string[] = [];
  let [cursor, entries, pages] = ["0", 0, 0];
  do {
    const args = { part, cursor, pageSize };
    const { reply, changes } = await queue.watch(() => queue.runOnBreach(verify, args));
    expect(changes).toEqual({});
    const [next, count, bytes, token, ...found] = reply as [
      string,
      number,
      number,
      string,
      ...string[],
    ];
    expect(bytes > 0).toBe(count > 0);
    expect(token).toBe((await queue.client.hget(queue.keys.meta, "token")) ?? "none");
    for (let at = 0; at < found.length; at += 2) {
      findings.push(`${found[at]} ${found[at + 1]}`);
    }
    cursor = next;
    entries += count;
    pages += 1;
  } while (cursor !== "0");
  return { entries, pages, findings: findings.toSorted() };
}

describe("verify", () => {
  it("finds nothing in a new queue", async () => {
    const queue = openQueue();
    for (const part of PARTS) {
      expect(await look(queue, part)).toEqual({ entries: 0, pages: 1, findings: [] });
    }
  });

  it("names in a sound queue what is leased, and nothing as suspect", async () => {
    const queue = openQueue();
    await queue.plantDelayed("delayed", 60_000, { attempts: 1, error: "boom" });
    await queue.plantHeld("held", 7, 30_000, { attempts: 1, error: "boom" });
    await queue.plantDead("dead", 0, { attempts: 1, error: "boom" });
    await queue.checkInvariant();
    for (const _ of ["first", "again"]) {
      expect(await look(queue, "jobs")).toMatchObject({ entries: 3, findings: ["unplaced held"] });
      expect(await look(queue, "processing")).toMatchObject({
        entries: 1,
        findings: ["leased held:7"],
      });
      expect(await look(queue, "delayed")).toMatchObject({ entries: 1, findings: [] });
      expect(await look(queue, "dead")).toMatchObject({ entries: 1, findings: [] });
      expect(await look(queue, "attempts")).toMatchObject({ entries: 3, findings: [] });
      expect(await look(queue, "errors")).toMatchObject({ entries: 3, findings: [] });
    }
  });

  it.each(["delayed", "dead", "attempts", "errors"] as const)(
    "suspects an entry of %s that names no job",
    async (part) => {
      const queue = openQueue();
      await queue.plantDelayed("sound");
      if (part === "delayed" || part === "dead") {
        await queue.plantScore(part, "lost", 0);
      } else {
        await queue.client.hset(queue.keys[part], "lost", "1");
      }
      expect((await look(queue, part)).findings).toEqual(["suspect lost"]);
    },
  );

  it("names a job in no place, to be found among the leased", async () => {
    const queue = openQueue();
    await queue.plantJob("orphan", {});
    expect((await look(queue, "jobs")).findings).toEqual(["unplaced orphan"]);
  });

  it("suspects a job in several places", async () => {
    const queue = openQueue();
    await queue.plantDelayed("both");
    await queue.plantDead("both");
    await queue.plantHeld("held", 1);
    await queue.plantDelayed("held");
    await queue.plantHeld("dying", 1);
    await queue.plantDead("dying");
    expect((await look(queue, "jobs")).findings).toEqual(["suspect both"]);
    expect((await look(queue, "processing")).findings).toEqual([
      "leased dying:1",
      "leased held:1",
      "suspect dying",
      "suspect held",
    ]);
  });

  it("names each lease of a job, so that the caller can tell", async () => {
    const queue = openQueue();
    await queue.plantHeld("a", 1);
    await queue.plantHeld("a", 2);
    expect((await look(queue, "processing")).findings).toEqual(["leased a:1", "leased a:2"]);
  });

  it("suspects a lease without a token also where its name is a job's", async () => {
    const queue = openQueue();
    await queue.plantJob("a", {});
    await queue.plantScore("processing", "a", 0);
    expect((await look(queue, "processing")).findings).toEqual(["suspect a"]);
  });

  it.each(["many", "1.5", "-1", "", "1e3", "99999999999999999999"])(
    "suspects a count of attempts that is %j",
    async (count) => {
      const queue = openQueue();
      await queue.plantDelayed("a", 0, { attempts: count });
      expect((await look(queue, "attempts")).findings).toEqual(["suspect a"]);
    },
  );

  it.each(["0", String(2 ** 53)])("takes %s for a count of attempts", async (count) => {
    const queue = openQueue();
    await queue.plantDelayed("a", 0, { attempts: count });
    expect((await look(queue, "attempts")).findings).toEqual([]);
  });

  it("counts the bytes of names and values", async () => {
    const queue = openQueue();
    await queue.plantDelayed("four", 0, { envelope: "x".repeat(1_000) });
    const args = { part: "jobs", cursor: "0", pageSize: 100 };
    expect(await queue.run(verify, args)).toEqual(["0", 1, 1_004, "none"]);
  });

  it("says the token counter, which each claim changes", async () => {
    const queue = openQueue();
    await look(queue, "processing");
    for (const id of ["a", "b"]) {
      await queue.plantDelayed(id, -1_000);
      const { token } = await claimJobs(queue, { request: id === "a" ? 1 : 2, maxJobs: 1 });
      const args = { part: "processing", cursor: "0", pageSize: 100 };
      expect((await queue.run(verify, args)) as unknown[]).toMatchObject({ 3: String(token) });
    }
  });

  it("suspects a lease without a job, and what is no lease at all", async () => {
    const queue = openQueue();
    await queue.plantScore("processing", "lost:1", 0);
    await queue.plantScore("processing", "no lease", 0);
    expect((await look(queue, "processing")).findings).toEqual([
      "leased lost:1",
      "suspect lost",
      "suspect no lease",
    ]);
  });

  it("takes any id", async () => {
    const queue = openQueue();
    await queue.plantMany(HOSTILE_IDS, (id) => queue.plantHeld(id, 1));
    expect((await look(queue, "processing")).findings).toEqual(
      HOSTILE_IDS.map((id) => `leased ${id}:1`).toSorted(),
    );
    expect((await look(queue, "jobs")).findings).toEqual(
      HOSTILE_IDS.map((id) => `unplaced ${id}`).toSorted(),
    );
  });

  it("comes to the end of a large part in pages, and passes no entry over", async () => {
    const queue = openQueue();
    const ids = manyIds(700);
    await queue.plantMany(ids, (id) => queue.plantScore("delayed", id, 60_000));
    const { pages, findings } = await look(queue, "delayed");
    expect(pages).toBeGreaterThan(1);
    expect([...new Set(findings)]).toEqual(ids.map((id) => `suspect ${id}`));
  });
});
