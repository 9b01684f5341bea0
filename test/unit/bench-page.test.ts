/** The benchmarks page: what is joined, what is worked out, and that nothing is left out. */
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { renderPage } from "../../bench/page/page.ts";
import { staleFiles, writePage } from "../../bench/page/page-files.ts";
import { winsOfPeers } from "../../bench/page/wins.ts";
import {
  defaultResultFile,
  readKeptResults,
  readResult,
  writeResult,
} from "../../bench/support/result-files.ts";
import type {
  BenchResult,
  Figure,
  JudgedTarget,
  ScenarioResult,
} from "../../bench/support/result.ts";

const figure = (row: string, metric: string, peer: string, samples: number[]): Figure => ({
  row,
  metric,
  unit: "u",
  peer,
  samples,
});

const scenario = (name: string, figures: readonly Figure[]): ScenarioResult => ({
  name,
  description: "",
  figures,
  targets: [],
});

const run = (
  scenarios: readonly ScenarioResult[],
  facts: Partial<BenchResult> = {},
): BenchResult => ({
  date: "2026-11-24T15:00:00.000Z",
  isQuick: false,
  repeats: 3,
  peers: ["holdfast", "bullmq"],
  machine: { cpuModel: "a machine", commit: "abc1234" },
  scenarios,
  ...facts,
});

const process = scenario("process", [
  figure("concurrency 1", "jobs a second", "holdfast", [10, 11, 12]),
  figure("concurrency 1", "jobs a second", "bullmq", [5, 5, 5]),
]);

const missed: JudgedTarget = {
  row: "concurrency 1",
  metric: "jobs a second",
  atLeast: 3,
  against: { peer: "bullmq" },
  text: "concurrency 1, jobs a second: at least 3 times bullmq",
  samples: [2, 2.2, 3.1],
  median: 2.2,
  isMet: false,
};

const everything = "<!-- summary -->\n<!-- machine -->\n<!-- wins -->\n<!-- figures: process -->\n";

test("a section has its chart, its targets, its figures and its command", () => {
  const { text, charts } = renderPage(everything, [run([{ ...process, targets: [missed] }])]);
  expect(charts.map(({ file }) => file)).toEqual(["process.svg"]);
  expect(text.split("\n").filter(Boolean)).toEqual([
    "Targets: 0 met, 1 missed.",
    "- missed in [process](#process): concurrency 1, jobs a second: at least 3 times bullmq; it is 2.20×",
    "|  |  |",
    "| --- | --- |",
    "| date | 2026-11-24 15:00 UTC |",
    "| repeats | 3 |",
    "| cpu model | a machine |",
    "| commit | abc1234 |",
    "In no figure of these runs was a peer ahead in every repeat.",
    "![Jobs processed a second](benchmarks/process.svg)",
    "| target |  | measured |",
    "| --- | --- | ---: |",
    "| concurrency 1, jobs a second: at least 3 times bullmq | **missed** | 2.20× (2–2.4, missed in 3 of 3) |",
    "|  |  | holdfast | bullmq | × bullmq |",
    "| --- | --- | ---: | ---: | ---: |",
    "| concurrency 1 | jobs a second, u | **11.0** (10–12) | **5.00** | 2.20× |",
    "Measure it: `npm run bench -- --scenario process`",
  ]);
});

test("of each scenario the newest run counts, and each says what the runs do not share", () => {
  const older = run([process, scenario("fleet", [])], { date: "2026-11-20T08:00:00.000Z" });
  const newer = run([scenario("process", [figure("r", "m", "holdfast", [7])])], {
    isQuick: true,
    machine: { cpuModel: "a machine", commit: "def5678" },
  });
  const template = `${everything}<!-- figures: fleet -->\n`;
  const { text } = renderPage(template, [newer, older]);
  expect(text).toContain("| r | m, u | **7.00** |");
  expect(text).not.toContain("concurrency 1");
  expect(text).toContain("| cpu model | a machine |");
  expect(text).not.toContain("| commit |");
  expect(text.match(/Measured by itself: .*/g)).toEqual([
    "Measured by itself: date 2026-11-24 15:00 UTC, size a quick run: to try the programs, not to be quoted, commit def5678.",
    "Measured by itself: date 2026-11-20 08:00 UTC, commit abc1234.",
  ]);
  expect(renderPage(template, [older, newer]).text).toBe(text);
});

test("a failed scenario says so, one that was not measured how to measure it", () => {
  const failed = { ...scenario("process", []), error: "Error: no | Redis" };
  const { text } = renderPage(`${everything}<!-- figures: memory -->\n`, [run([failed])]);
  expect(text).toContain("**This scenario failed:** Error: no | Redis");
  expect(text).toContain("Failed: process.");
  expect(text).toContain("No figures yet: `npm run bench -- --scenario memory`");
});

test("what a round trip takes is no peer's: neither a column nor in a chart", () => {
  const network = scenario("network", [
    figure("a round trip, with it", "p50", "PING", [1.3, 1.4, 1.5]),
    figure("pick-up", "p50", "holdfast", [4, 5, 6]),
    figure("pick-up", "p50", "bullmq", [4, 5, 6]),
  ]);
  const { text, charts } = renderPage(everything.replace("process", "network"), [run([network])]);
  const lines = text.split("\n");
  expect(lines).toContain("- PING, a round trip, with it: p50 1.40 u (1.3–1.5)");
  expect(lines).toContain("|  |  | holdfast | bullmq | × bullmq |");
  expect(charts.map(({ svg }) => svg.includes("PING"))).toEqual([false]);
});

test("many figures are folded, with their notes", () => {
  const figures = Array.from({ length: 13 }, (_, row) =>
    figure(`row ${row} | ${row}`, "m", "holdfast", [row]),
  );
  figures[3] = { ...figures[3]!, note: "disturbed" };
  const { text } = renderPage(everything, [run([scenario("process", figures)])]);
  expect(text).toMatch(/<details><summary>All figures<\/summary>\n\n\|.*\n\n<\/details>/s);
  expect(text).toContain(String.raw`| row 12 \| 12 | m, u | **12.0** |`);
  expect(text).toContain("\nrow 3 | 3, m, holdfast: disturbed.\n");
});

test("nothing is left out for want of a place in the template", () => {
  expect(() => renderPage(everything, [run([process, scenario("new", [])])])).toThrow(
    "no place for <!-- figures: new -->",
  );
  expect(() => renderPage(`${everything}<!-- weather -->\n`, [run([process])])).toThrow("weather");
});

test("the page's own template has a place for everything that it must show", async () => {
  const path = join(import.meta.dirname, "../../bench/page/template.md");
  const template = await readFile(path, "utf8");
  const names = [...template.matchAll(/^<!-- figures: (.+) -->$/gm)].map(([, name = ""]) => name);
  const { text } = renderPage(template, [run(names.map((name) => scenario(name, [])))]);
  expect(text).not.toMatch(/^<!-- [\w: -]+ -->$/m);
  expect(text.match(/^Measure it: /gm)).toHaveLength(names.length);
});

describe("where a peer wins", () => {
  const wins = (metric: string, own: number[], other: number[], peer = "bullmq") =>
    winsOfPeers([
      scenario("s", [figure("r", metric, "holdfast", own), figure("r", metric, peer, other)]),
    ]);

  test("is worked out by what should be high and what should be low", () => {
    expect(wins("jobs a second", [9, 9], [10, 12])).toMatchObject([
      { peer: "bullmq", isClear: true },
    ]);
    expect(wins("jobs a second", [10, 12], [9, 9])).toEqual([]);
    expect(wins("p50", [10, 12], [9, 9])).toMatchObject([
      { ratio: { max: 12 / 9 }, isClear: true },
    ]);
    expect(wins("p50", [9, 9], [10, 12])).toEqual([]);
    expect(wins("p50", [9, 9], [9, 9])).toEqual([]);
    expect(wins("commands", [1, 1], [0, 0])).toMatchObject([{ isClear: true }]);
  });

  test("is unclear where the repeats disagree, also if the spreads of both are narrow", () => {
    expect(wins("p50", [10, 10, 8], [9, 9, 9])).toMatchObject([{ isClear: false }]);
    const { text } = renderPage(everything, [
      run([
        scenario("process", [
          figure("r", "p50", "holdfast", [10, 10, 8]),
          figure("r", "p50", "bullmq", [9, 9, 9]),
          figure("r", "p99", "holdfast", [30, 20, 10]),
          figure("r", "p99", "bullmq", [15, 10, 5]),
        ]),
      ]),
    ]);
    expect(text).toContain(
      "| [process](#process), r | p99, u | bullmq | 20.0 (10–30) | 10.0 (5–15) | 2.00× (2) |",
    );
    expect(text).toContain("- process, r, p50: bullmq (holdfast is 1.11× of it, 0.889–1.11)");
  });

  test("is not where the floor is lower, nor another revision, nor what does not pair up", () => {
    expect(wins("p50", [10, 12], [9, 9], "floor")).toEqual([]);
    expect(wins("p50", [10, 12], [9, 9], "holdfast@abc1234")).toEqual([]);
    expect(wins("p50", [10, 12], [9])).toEqual([]);
  });
});

describe("files", () => {
  let folder = "";
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "holdfast-page-"));
  });
  afterEach(() => rm(folder, { recursive: true }));

  test("are stale until written, and again when anything of them changes", async () => {
    const page = renderPage(everything, [run([process])]);
    const names = ["benchmarks.md", "benchmarks/process.svg"];
    expect(await staleFiles(folder, undefined)).toEqual([]);
    expect(await staleFiles(folder, page)).toEqual(names);
    await mkdir(join(folder, "benchmarks"));
    await writeFile(join(folder, "benchmarks/old.svg"), "");
    await writePage(folder, page);
    expect(await staleFiles(folder, page)).toEqual([]);
    await writeFile(join(folder, "benchmarks/old.svg"), "");
    await writeFile(join(folder, "benchmarks/process.svg"), "by hand");
    expect(await staleFiles(folder, page)).toEqual([
      "benchmarks/process.svg",
      "benchmarks/old.svg",
    ]);
    expect((await staleFiles(folder, undefined)).toSorted()).toEqual([
      "benchmarks.md",
      "benchmarks/old.svg",
      "benchmarks/process.svg",
    ]);
  });

  test("of runs are kept for good if they are neither quick nor local", async () => {
    const kept = run([process]);
    await writeResult(join(folder, "a.json"), kept);
    await writeResult(join(folder, "b.json"), { ...kept, isQuick: true });
    await writeResult(join(folder, "c-quick.local.json"), kept);
    expect(await readKeptResults(folder)).toEqual([kept]);
    expect(await readKeptResults(join(folder, "none"))).toEqual([]);
  });

  test("that no run has written are named", async () => {
    const path = join(folder, "a.json");
    for (const content of ["{", "{}", "null"]) {
      await writeFile(path, content);
      await expect(readResult(path)).rejects.toThrow(`${path} is not a file that npm run bench`);
    }
  });

  test("are named by day and commit, and quick ones so that git ignores them", () => {
    const date = new Date("2026-11-24T23:59:59Z");
    expect(defaultResultFile(date, "0000000", false)).toMatch(/results\/2026-11-24-0000000\.json$/);
    expect(defaultResultFile(date, "0000000", true)).toMatch(/-0000000-quick\.local\.json$/);
  });
});
