import { expect, test } from "vitest";
import { readable, rangeText, timesText } from "../../bench/support/numbers.ts";
import type { Figure, JudgedTarget } from "../../bench/support/result.ts";
import { figureTable, summaryLine, targetTable } from "../../bench/support/table.ts";

const figure = (
  [row, metric, unit]: [string, string, string],
  peer: string,
  samples: number[],
  note?: string,
): Figure => ({ row, metric, unit, peer, samples, note });

test("numbers are short, and never nothing where there is something", () => {
  expect(
    [123_456.7, 99.96, 12.345, 1.005, 0.5, 0.0999, 0.01234, 0.000_123, 0].map(readable),
  ).toEqual(["123,457", "100.0", "12.3", "1.01", "0.50", "0.10", "0.012", "0.00012", "0"]);
});

test("a range names its thousands once, and a single value once", () => {
  expect(rangeText({ min: 64_012, max: 76_210 })).toBe("64–76.2K");
  expect(rangeText({ min: 990, max: 1_200 })).toBe("990–1.2K");
  expect(rangeText({ min: 990_000, max: 1_200_000 })).toBe("990K–1.2M");
  expect(rangeText({ min: 4, max: 4.001 })).toBe("4");
});

test("how many times nothing is cannot be told", () => {
  expect([6.5, 1 / 7, Number.POSITIVE_INFINITY].map(timesText)).toEqual(["6.50×", "0.14×", "–"]);
});

test("a line for each metric, a column for each peer, and how many times ours is of the rival", () => {
  const jobs: [string, string, string] = ["concurrency 1", "jobs a second", "jobs/s"];
  const cpu: [string, string, string] = ["concurrency 1", "server CPU a job", "µs/job"];
  const many: [string, string, string] = ["concurrency 1,000", "jobs a second", "jobs/s"];
  const figures = [
    figure(jobs, "floor", [15_000, 16_000, 15_500]),
    figure(jobs, "bullmq", [7_000, 9_000, 10_000]),
    // Pair by pair 2, 1 and 3 times the rival; the medians alone would say 1.56.
    figure(jobs, "holdfast", [14_000, 9_000, 30_000]),
    figure(many, "holdfast", [100_000, 110_000, 120_000]),
    figure(cpu, "holdfast", [6, 6.1, 5.9], "a note"),
    figure(cpu, "bullmq", [40, 44, 42]),
  ];
  expect(figureTable(figures).split("\n")).toEqual([
    "                            holdfast min–max   bullmq min–max   floor min–max  × bullmq",
    "concurrency 1",
    "  jobs a second     jobs/s    14,000 9–30K      9,000 7–10K    15,500 15–16K      2.00×",
    "  server CPU a job  µs/job      6.00 5.9–6.1     42.0 40–44         –             0.14×",
    "    holdfast: a note",
    "concurrency 1,000",
    "  jobs a second     jobs/s   110,000 100–120K       –               –                 –",
  ]);
});

test("without the rival the floor stands beside ours, and without both nothing does", () => {
  const facts: [string, string, string] = ["", "claim", "ms"];
  expect(
    figureTable([figure(facts, "holdfast", [3]), figure(facts, "floor", [2])]).split("\n"),
  ).toEqual([
    "             holdfast min–max  floor min–max  × floor",
    "  claim  ms      3.00 3         2.00 2          1.50×",
  ]);
  expect(figureTable([figure(facts, "holdfast", [3, 4])]).split("\n")).toEqual([
    "             holdfast min–max",
    "  claim  ms      3.50 3–4",
  ]);
});

test("what a round trip takes is no peer's, and stands above", () => {
  const trip: [string, string, string] = ["a round trip, with it", "p50", "ms"];
  const facts: [string, string, string] = ["pick-up", "p50", "ms"];
  const figures = [figure(trip, "PING", [1.3, 1.4, 1.5]), figure(facts, "holdfast", [4])];
  expect(figureTable(figures).split("\n")).toEqual([
    "PING, a round trip, with it: p50 1.40 ms (1.3–1.5)",
    "           holdfast min–max",
    "pick-up",
    "  p50  ms      4.00 4",
  ]);
});

test("nothing is as much as nothing", () => {
  const facts: [string, string, string] = ["", "commands", "u"];
  const table = figureTable([figure(facts, "holdfast", [0, 0]), figure(facts, "bullmq", [0, 0])]);
  expect(table.split("\n")[1]).toMatch(/ 1\.00×$/);
});

test("what does not pair up is not compared", () => {
  const facts: [string, string, string] = ["", "claim", "ms"];
  const table = figureTable([figure(facts, "holdfast", [3, 3]), figure(facts, "bullmq", [2])]);
  expect(table.split("\n")[1]).toMatch(/ –$/);
});

const target = (facts: Partial<JudgedTarget>): JudgedTarget => ({
  row: "r",
  metric: "m",
  text: "r, m: at least 5 times bullmq",
  samples: [5, 6, 7],
  median: 6,
  isMet: true,
  ...facts,
});

test("each target: met or not, what was measured, and in how many repeats it was missed", () => {
  const targets = [
    target({ atLeast: 5, against: { peer: "bullmq" } }),
    target({ atLeast: 5.5, against: { peer: "bullmq" } }),
    target({ text: "p99: at most 3", atMost: 3, samples: [2, 3.5, 4], median: 3.5, isMet: false }),
  ];
  expect(targetTable(targets).split("\n")).toEqual([
    "met     r, m: at least 5 times bullmq  6.00× 5–7",
    "met     r, m: at least 5 times bullmq  6.00× 5–7, missed in 1 of 3",
    "MISSED  p99: at most 3                  3.50 2–4, missed in 2 of 3",
  ]);
  expect(targetTable([])).toBe("");
});

test("the sum of all scenarios names those that failed", () => {
  const scenario = { description: "", figures: [] };
  expect(
    summaryLine([
      { ...scenario, name: "process", targets: [target({}), target({ isMet: false })] },
      { ...scenario, name: "fleet", targets: [], error: "Error: no" },
    ]),
  ).toBe("Targets: 1 met, 1 missed. Failed: fleet.");
});
