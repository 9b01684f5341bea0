/** What the bench counts: each job once, and the workers that one job moves. */
import { describe, expect, test } from "vitest";
import { innerCommands, sentForOneJob, workersMoved } from "../../bench/support/seen-commands.ts";
import { faultsOf } from "../../bench/support/worker-progress.ts";

/** Plain JavaScript, as all that the bench's processes run. */
const program = new URL("../../bench/processes/job-counts.mjs", import.meta.url).href;
const { JobCounts } = (await import(program)) as {
  JobCounts: new () => { add(data: unknown): void; readonly all: Uint8Array };
};

function counted(...numbers: readonly number[]): Uint8Array {
  const counts = new JobCounts();
  for (const n of numbers) counts.add({ n });
  return counts.all;
}

describe("jobs by their numbers", () => {
  test("are right if each was seen once, by whichever process", () => {
    expect(faultsOf("started", [counted(2, 0), counted(3, 1)], 4)).toEqual([]);
    expect(faultsOf("started", [counted()], 0)).toEqual([]);
  });

  test("a lost and a double one do not cancel each other out", () => {
    expect(faultsOf("started", [counted(0, 1), counted(1)], 3)).toEqual([
      "1 started never, the first is number 2",
      "1 started more than once, the first is number 1",
    ]);
    expect(faultsOf("acknowledged", [counted(0, 0)], 2)).toHaveLength(2);
  });

  test("one that nobody enqueued is told apart", () => {
    expect(faultsOf("started", [counted(0, 1, 7)], 2)).toEqual([
      "1 started without being enqueued, the first is number 7",
    ]);
  });

  test("are counted up to millions, and one without a number is refused", () => {
    const many = counted(3_000_000, 0, 1_024);
    expect([many.length, many[0], many[1_024], many[1_025], many[3_000_000]]).toEqual([
      3_000_001, 1, 1, 0, 1,
    ]);
    expect(() => new JobCounts().add({ n: "1" })).toThrow('without its number: {"n":"1"}');
    expect(() => new JobCounts().add({})).toThrow("without its number");
  });
});

test("workers that one job moves: between its enqueue and the last command of who ran it", () => {
  const names = { producer: "q", workers: "q-worker", runner: "q-worker-2" };
  const moved = (...sent: readonly string[]) =>
    workersMoved(
      sentForOneJob(
        sent.map((connectionName) => ({ connectionName, innerCount: 0 })),
        names,
      ),
      names.workers,
    );
  expect(moved("q-worker-1", "q", "q-worker-2", "q-worker-2", "q-worker-3")).toBe(1);
  expect(moved("q", "q-worker-1", "q-worker-2", "other-worker-5", "q-worker-2")).toBe(2);
  expect(moved("q", "q-worker-2", "q-worker-1", "q-worker-3", "q-worker-2")).toBe(3);
  expect(moved("q", "q-worker-1")).toBe(0);
});

test("inner commands are those of a queue's own connections", () => {
  const seen = ["q", "q-worker-1", "q2", ""].map((connectionName) => ({
    connectionName,
    innerCount: 3,
  }));
  expect(innerCommands(seen, "q")).toBe(6);
});
