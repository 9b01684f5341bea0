/** Targets: none goes missing, measured or not; and quick runs stay what they are. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { renderPage } from "../../bench/page/page.ts";
import { checkResultFile, readResult, writeResult } from "../../bench/support/result-files.ts";
import type { BenchResult, Figure, Target } from "../../bench/support/result.ts";
import { choose, scenarios } from "../../bench/support/scenarios.ts";
import { summaryLine, targetTable, timeLine } from "../../bench/support/table.ts";
import { judge, unmeasured } from "../../bench/support/targets.ts";

const row = "concurrency 1";
const metric = "jobs a second";
const figure = (peer: string, samples: number[]): Figure => ({
  row,
  metric,
  unit: "jobs/s",
  peer,
  samples,
});
const targets: readonly Target[] = [
  { row, metric, atLeast: 10 },
  { row, metric, against: { peer: "bullmq" }, atLeast: 3 },
  { row, metric, against: { row: "concurrency 2" }, atMost: 1 },
];
const process = { name: "process", targets };
const ofBullmq = {
  text: "concurrency 1, jobs a second: at least 3 times bullmq",
  command: "npm run bench -- --scenario process",
};
const ofRow = {
  text: "concurrency 1, jobs a second: at most 1 times “concurrency 2”",
  command: "npm run bench -- --scenario process",
};

test("a target is either judged or said to be not measured, with what measures it", () => {
  const figures = [figure("holdfast", [20, 20]), figure("floor", [30, 30])];
  expect(judge(targets, figures)).toMatchObject([{ ...targets[0], isMet: true }]);
  expect(unmeasured(process, figures)).toEqual([ofBullmq, ofRow]);
  expect(unmeasured(process, [...figures, figure("bullmq", [1, 1])])).toEqual([ofRow]);
  expect(unmeasured(process, [figure("bullmq", [1, 1])])).toHaveLength(3);
});

test("a target against another row compares the medians, one against a peer pair by pair", () => {
  const others = { ...figure("holdfast", [5, 40, 40]), row: "concurrency 2" };
  const figures = [figure("holdfast", [10, 20, 90]), figure("bullmq", [1, 10, 30]), others];
  expect(judge(targets, figures).map(({ samples }) => samples)).toEqual([
    [10, 20, 90],
    [10, 2, 3],
    [0.5],
  ]);
});

test("the page judges by what must be reached today", () => {
  const template = "<!-- summary -->\n<!-- figures: process -->\n<!-- machine -->\n<!-- wins -->\n";
  const figures = [figure("holdfast", [20, 20])];
  const scenario = { name: "process", description: "", figures, targets: judge(targets, figures) };
  const today = { name: "process", targets: [{ row, metric, atLeast: 21 }] };
  const { text } = renderPage(template, [run([scenario])], [today]);
  expect(text).toContain("Targets: 0 met, 1 missed.");
});

test("the terminal shows what was not measured, and counts it", () => {
  expect(targetTable(judge(targets, [figure("holdfast", [9])]), [ofBullmq]).split("\n")).toEqual([
    "MISSED        concurrency 1, jobs a second: at least 10              9.00 9, missed in 1 of 1",
    `not measured  ${ofBullmq.text}     – ${ofBullmq.command}`,
  ]);
  expect(summaryLine([], 2)).toBe("Targets: 0 met, 0 missed, 2 not measured.");
});

test("the page shows what was not measured, also of a scenario that no run has", () => {
  const template = "<!-- summary -->\n<!-- figures: process -->\n<!-- figures: fleet -->\n";
  const more = "<!-- machine -->\n<!-- wins -->\n";
  const figures = [figure("holdfast", [20, 20])];
  const scenario = { name: "process", description: "", figures, targets: judge(targets, figures) };
  const fleet = { name: "fleet", targets: [{ row: "50", metric: "commands", atMost: 15 }] };
  const { text } = renderPage(template + more, [run([scenario])], [process, fleet]);
  const lines = text.split("\n");
  expect(lines).toContain("Targets: 1 met, 0 missed, 3 not measured.");
  expect(lines).toContain("- not measured in [fleet](#fleet): 1 target");
  expect(lines).toContain(`| ${ofBullmq.text} | not measured | \`${ofBullmq.command}\` |`);
  const command = "`npm run bench -- --scenario fleet`";
  expect(lines).toContain(`| 50, commands: at most 15 | not measured | ${command} |`);
});

const run = (list: BenchResult["scenarios"], isQuick = false): BenchResult => ({
  date: "2026-11-24T15:00:00.000Z",
  isQuick,
  repeats: 2,
  peers: [],
  machine: {},
  scenarios: list,
});

test("a quick run never replaces a full one", async () => {
  const folder = await mkdtemp(join(tmpdir(), "holdfast-results-"));
  try {
    const path = join(folder, "new/a.json");
    await checkResultFile(path, true);
    await writeResult(path, run([]));
    await expect(checkResultFile(path, true)).rejects.toThrow("holds a full run");
    await checkResultFile(path, false);
    expect((await readResult(path)).isQuick).toBe(false);
    await writeResult(path, run([], true));
    await checkResultFile(path, true);
  } finally {
    await rm(folder, { recursive: true });
  }
});

test("a quick run says what it leaves out and how to run it, and runs what is named", () => {
  const lines: string[] = [];
  const chosen = (names: readonly string[], isQuick: boolean) =>
    choose(names, { isQuick, print: (line) => lines.push(line) }).map(({ name }) => name);
  const all = scenarios.map(({ name }) => name);
  expect(chosen([], false)).toEqual(all);
  expect(lines).toEqual([]);
  const quick = chosen([], true);
  const leftOut = all.filter((name) => !quick.includes(name));
  expect(leftOut).toContain("fleet");
  expect(lines.map((line) => /--scenario (\S+)$/.exec(line)?.[1])).toEqual(leftOut);
  expect(chosen(["fleet"], true)).toEqual(["fleet"]);
  expect(() => chosen(["flet"], true)).toThrow(/no scenario flet. There are .*fleet/);
});

test("the time of a run is told by scenario, the longest first", () => {
  const took = (name: string, seconds: number) => ({
    name,
    seconds,
    description: "",
    figures: [],
    targets: [],
  });
  const list = [took("poll", 4), took("process", 59)];
  expect(timeLine(list, 66.4)).toBe("Time: 66 s; process 59 s, poll 4 s.");
});
