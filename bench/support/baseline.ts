/**
 * What holdfast has reached, kept in `bench/baseline.json` as multiples of the floor and of BullMQ: these
 * hold on other machines, too, where times do not.
 */
import { existsSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { directionOf, distance, minMove, type Verdict } from "./comparison.ts";
import { groupFigures, ours, pairedRatios, rivals, type Spread, spreadOf } from "./figures.ts";
import { rangeText, timesText } from "./numbers.ts";
import type { BenchResult } from "./result.ts";
import { textTable } from "./text-table.ts";

const baselineFile = join(import.meta.dirname, "../baseline.json");

interface BaselineRatio extends Spread {
  readonly scenario: string;
  readonly row: string;
  readonly metric: string;
  /** A peer. */
  readonly against: string;
}

export interface Baseline {
  readonly date: string;
  readonly commit: string;
  readonly ratios: readonly BaselineRatio[];
}

export interface BaselineComparison {
  readonly before: BaselineRatio;
  /** Undefined if it was not measured this time. */
  readonly now: Spread | undefined;
  readonly verdict: Verdict | "not measured";
}

/** Leaves out what has no finite ratio, for instance where the floor needs none of something. */
export function baselineOf({ date, machine, scenarios }: BenchResult): Baseline {
  const ratios = scenarios.flatMap(({ name, figures }) =>
    groupFigures(figures).flatMap(({ row, metric, byPeer }) =>
      rivals.flatMap((against) => {
        const pairs = pairedRatios(byPeer.get(ours), byPeer.get(against));
        const isUsable = pairs.length > 0 && pairs.every((ratio) => ratio > 0 && ratio < Infinity);
        return isUsable ? [{ scenario: name, row, metric, against, ...spreadOf(pairs) }] : [];
      }),
    ),
  );
  return { date, commit: String(machine["commit"] ?? "unknown"), ratios };
}

/** Undefined if none was written yet. */
export async function readBaseline(path = baselineFile): Promise<Baseline | undefined> {
  if (!existsSync(path)) {
    return undefined;
  }
  const baseline = parse(await readFile(path, "utf8"));
  if (!Array.isArray(baseline?.ratios)) {
    throw new Error(`${path} is no baseline: npm run bench:compare -- main --write-baseline`);
  }
  return baseline as Baseline;
}

function parse(text: string): Partial<Baseline> | undefined {
  try {
    return JSON.parse(text) as Partial<Baseline>;
  } catch {
    return undefined; // The caller says that it is none.
  }
}

export async function writeBaseline(baseline: Baseline, path = baselineFile): Promise<void> {
  await writeFile(path, `${JSON.stringify(baseline, undefined, 2)}\n`);
}

/**
 * Of the scenarios that were run. The repeats of two runs do not pair up. So a ratio moved only if its spreads then and now lie apart, and
 * the medians by more than 5 %.
 */
export function compareToBaseline(baseline: Baseline, result: BenchResult): BaselineComparison[] {
  const ran = new Set(result.scenarios.map(({ name }) => name));
  const measured = new Map(baselineOf(result).ratios.map((ratio) => [keyOf(ratio), ratio]));
  const expected = baseline.ratios.filter(({ scenario }) => ran.has(scenario));
  return expected.map((before) => {
    const now = measured.get(keyOf(before));
    return { before, now, verdict: now ? verdictOf(before, now) : "not measured" };
  });
}

function keyOf({ scenario, row, metric, against }: BaselineRatio): string {
  return JSON.stringify([scenario, row, metric, against]);
}

function verdictOf(before: BaselineRatio, now: Spread): Verdict {
  const ratio = now.median / before.median;
  const lieApart = now.min > before.max || now.max < before.min;
  return lieApart && distance(ratio) > minMove ? directionOf(ratio, before.metric) : "same";
}

/** What moved, what is missing, and a line for how much there was. */
export function baselineTable(comparisons: readonly BaselineComparison[]): string {
  const lines = comparisons
    .filter(({ verdict }) => verdict !== "same")
    .map(({ before, now, verdict }) => [
      verdict === "worse" ? "WORSE" : verdict,
      [before.scenario, before.row, before.metric].filter(Boolean).join(", "),
      `of ${before.against}`,
      timesText(before.median),
      rangeText(before),
      now ? timesText(now.median) : "–",
      now ? rangeText(now) : "",
    ]);
  const heading = ["", "", "", "baseline", "min–max", "now", "min–max"];
  const table = textTable(lines.length > 0 ? [heading, ...lines] : [], [
    { align: "left" },
    { align: "left" },
    { align: "left" },
    { align: "right" },
    { align: "left", gap: 1 },
    { align: "right" },
    { align: "left", gap: 1 },
  ]);
  const counts = (["worse", "better", "same", "not measured"] as const).map(
    (verdict) => `${comparisons.filter((one) => one.verdict === verdict).length} ${verdict}`,
  );
  return [table, `Baseline: ${counts.join(", ")}.`].filter(Boolean).join("\n");
}
