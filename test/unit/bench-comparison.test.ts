/** What counts as moved, between two revisions and since the baseline. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import {
  type Baseline,
  baselineOf,
  baselineTable,
  compareToBaseline,
  readBaseline,
  writeBaseline,
} from "../../bench/support/baseline.ts";
import { comparisonTable, compareRevisions } from "../../bench/support/comparison.ts";
import type { BenchResult, Figure } from "../../bench/support/result.ts";

const base = "holdfast@abc1234";

function figures(metric: string, samples: Readonly<Record<string, readonly number[]>>): Figure[] {
  return Object.entries(samples).map(([peer, list]) => ({
    row: "concurrency 1",
    metric,
    unit: "u",
    peer,
    samples: list,
  }));
}

const scenario = (list: readonly Figure[]) => ({
  name: "process",
  description: "",
  targets: [],
  figures: list,
});

function compare(metric: string, samples: Readonly<Record<string, readonly number[]>>) {
  const revisions = { current: "holdfast", base };
  return compareRevisions([scenario(figures(metric, samples))], revisions);
}

const verdict = (metric: string, samples: Readonly<Record<string, readonly number[]>>) =>
  compare(metric, samples)[0]?.verdict;

const calm = { floor: [200, 100, 150], bullmq: [20, 10, 15] };
/** The ratio is 10, 10 and 13: 30 % from its median. */
const noisy = { floor: [200, 100, 195], bullmq: [20, 10, 15] };

describe("between two revisions", () => {
  test("a move is better or worse by what is measured", () => {
    const faster = { holdfast: [112, 55, 89], [base]: [100, 50, 80] };
    expect(verdict("jobs a second", { ...faster, ...calm })).toBe("better");
    expect(verdict("server CPU a job", { ...faster, ...calm })).toBe("worse");
    const slower = { holdfast: faster[base], [base]: faster.holdfast };
    expect(verdict("jobs a second", { ...slower, ...calm })).toBe("worse");
    expect(verdict("server CPU a job", { ...slower, ...calm })).toBe("better");
  });

  test("all repeats must agree, whatever the median says", () => {
    const samples = { holdfast: [120, 99, 130], [base]: [100, 100, 100] };
    expect(verdict("jobs a second", { ...samples, ...calm })).toBe("same");
  });

  test("what is not above 5 % did not move", () => {
    expect(verdict("p50", { holdfast: [104, 104, 104], [base]: [100, 100, 100], ...calm })).toBe(
      "same",
    );
    expect(verdict("p50", { holdfast: [106, 106, 106], [base]: [100, 100, 100], ...calm })).toBe(
      "worse",
    );
  });

  test("nor what is not above the noise of code that did not change", () => {
    const samples = { holdfast: [120, 120, 120], [base]: [100, 100, 100] };
    expect(verdict("p50", { ...samples, ...calm })).toBe("worse");
    expect(compare("p50", { ...samples, ...noisy })).toMatchObject([
      { noise: expect.closeTo(0.3), verdict: "same" },
    ]);
    expect(verdict("p50", { holdfast: [140, 140, 140], [base]: [100, 100, 100], ...noisy })).toBe(
      "worse",
    );
  });

  test("without such code beside them, the revisions' own repeats are the noise", () => {
    expect(verdict("p50", { holdfast: [108, 110, 160], [base]: [100, 100, 100] })).toBe("same");
    expect(verdict("p50", { holdfast: [108, 110, 112], [base]: [100, 100, 100] })).toBe("worse");
  });

  test("two repeats say nothing, and one revision alone is no comparison", () => {
    expect(verdict("p50", { holdfast: [200, 200], [base]: [100, 100] })).toBe("too few repeats");
    expect(compare("p50", { holdfast: [200, 200, 200], ...calm })).toEqual([]);
  });

  test("counts that come from nothing or vanish have moved", () => {
    expect(verdict("commands", { holdfast: [1, 1, 1], [base]: [0, 0, 0], ...calm })).toBe("worse");
    expect(verdict("commands", { holdfast: [0, 0, 0], [base]: [1, 1, 1], ...calm })).toBe("better");
    expect(verdict("commands", { holdfast: [0, 0, 0], [base]: [0, 0, 0], ...calm })).toBe("same");
  });

  test("the table shows what moved, what is worse first, and counts the rest", () => {
    const comparisons = compareRevisions(
      [
        scenario([
          ...figures("jobs a second", {
            holdfast: [110, 112, 114],
            [base]: [100, 100, 100],
            ...calm,
          }),
          ...figures("p99", { holdfast: [3, 3, 3.3], [base]: [2, 2, 2], ...calm }),
          ...figures("p50", { holdfast: [1, 1, 1], [base]: [1, 1, 1], ...calm }),
          ...figures("max", { holdfast: [1], [base]: [1] }),
        ]),
      ],
      { current: "holdfast", base },
    );
    expect(comparisonTable(comparisons).split("\n")).toEqual([
      "                                                  base  current  current ÷ base min–max   noise",
      "WORSE   process, concurrency 1, p99            u  2.00     3.00           1.50× 1.5–1.65    0 %",
      "better  process, concurrency 1, jobs a second  u   100      112           1.12× 1.1–1.14    0 %",
      "1 worse, 1 better, 1 within the noise. 1 with fewer than 3 repeats: nothing can be said of them.",
    ]);
    expect(comparisonTable([])).toBe("0 worse, 0 better, 0 within the noise.");
  });
});

function result(list: readonly Figure[]): BenchResult {
  return {
    date: "2026-11-24T15:00:00.000Z",
    isQuick: false,
    repeats: 3,
    peers: [],
    machine: { commit: "abc1234" },
    scenarios: [scenario(list)],
  };
}

describe("since the baseline", () => {
  const measured = [
    ...figures("jobs a second", {
      holdfast: [100, 110, 120],
      floor: [200, 200, 200],
      bullmq: [10, 10, 10],
    }),
    ...figures("inner commands a job", { holdfast: [3, 3, 3], floor: [0, 0, 0] }),
  ];

  test("it holds ratios to the floor and to the peer, and none to nothing", () => {
    const facts = { scenario: "process", row: "concurrency 1", metric: "jobs a second" };
    expect(baselineOf(result(measured))).toEqual({
      date: "2026-11-24T15:00:00.000Z",
      commit: "abc1234",
      ratios: [
        { ...facts, against: "bullmq", median: 11, min: 10, max: 12 },
        { ...facts, against: "floor", median: 0.55, min: 0.5, max: 0.6 },
      ],
    });
  });

  test("it is kept in a file, if there is one, and another file is an error that says so", async () => {
    const folder = await mkdtemp(join(tmpdir(), "holdfast-baseline-"));
    try {
      const path = join(folder, "baseline.json");
      expect(await readBaseline(path)).toBeUndefined();
      await writeFile(path, "{}");
      await expect(readBaseline(path)).rejects.toThrow("baseline.json is no baseline");
      const baseline = baselineOf(result(measured));
      await writeBaseline(baseline, path);
      expect(await readBaseline(path)).toEqual(baseline);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  const ratio = (metric: string, [min, median, max]: [number, number, number]) => ({
    scenario: "process",
    row: "concurrency 1",
    metric,
    against: "floor",
    min,
    median,
    max,
  });

  function since(before: [number, number, number], now: readonly number[], metric = "CPU") {
    const baseline: Baseline = { date: "", commit: "", ratios: [ratio(metric, before)] };
    const list = figures(metric, { holdfast: now, floor: now.map(() => 1) });
    return compareToBaseline(baseline, result(list))[0]?.verdict;
  }

  test("a ratio moved where the spreads lie apart, by more than 5 %", () => {
    expect(since([1.9, 2, 2.1], [2.2, 2.3, 2.4])).toBe("worse");
    expect(since([1.9, 2, 2.1], [2.2, 2.3, 2.4], "jobs a second")).toBe("better");
    expect(since([1.9, 2, 2.1], [1.7, 1.8, 1.85])).toBe("better");
    expect(since([1.9, 2, 2.1], [2.05, 2.3, 2.4])).toBe("same");
    expect(since([2, 2, 2], [2.09, 2.09, 2.09])).toBe("same");
  });

  test("the table shows what moved and what is missing", () => {
    const baseline: Baseline = {
      date: "",
      commit: "",
      ratios: [ratio("jobs a second", [0.7, 0.75, 0.8]), ratio("p99", [1, 1, 1])],
    };
    const comparisons = compareToBaseline(baseline, result(measured));
    expect(baselineTable(comparisons).split("\n")).toEqual([
      "                                                               baseline min–max    now min–max",
      "WORSE         process, concurrency 1, jobs a second  of floor     0.75× 0.7–0.8  0.55× 0.5–0.6",
      "not measured  process, concurrency 1, p99            of floor     1.00× 1            –",
      "Baseline: 1 worse, 0 better, 0 same, 1 not measured.",
    ]);
    expect(baselineTable([])).toBe("Baseline: 0 worse, 0 better, 0 same, 0 not measured.");
  });
});
