/** Two revisions of holdfast, measured beside each other: what moved beyond the noise. */
import {
  type FigureGroup,
  groupFigures,
  isHigherBetter,
  limit,
  pairedRatios,
  type Spread,
  spreadOf,
} from "./figures.ts";
import { rangeText, readable, timesText } from "./numbers.ts";
import type { ScenarioResult } from "./result.ts";
import { median } from "./statistics.ts";
import { textTable } from "./text-table.ts";

/** Smaller moves come without a cause: from where code happens to lie in memory, say. */
export const minMove = 0.05;
/** Of two pairs, every other one agrees by chance. */
const minPairs = 3;

export type Verdict = "better" | "worse" | "same" | "too few repeats";

export interface Comparison {
  readonly scenario: string;
  readonly row: string;
  readonly metric: string;
  readonly unit: string;
  readonly current: Spread;
  readonly base: Spread;
  /** How many times the base the current revision is, pair by pair. */
  readonly ratio: Spread;
  /** How far apart, in parts, the same code lay from repeat to repeat. */
  readonly noise: number;
  readonly verdict: Verdict;
}

/** What was measured of both revisions. Neither pairs nor figures are made up where one is missing. */
export function compareRevisions(
  scenarios: readonly ScenarioResult[],
  revisions: { readonly current: string; readonly base: string },
): Comparison[] {
  return scenarios.flatMap(({ name, figures }) =>
    groupFigures(figures).flatMap((group) => compareGroup(name, group, revisions)),
  );
}

function compareGroup(
  scenario: string,
  { row, metric, unit, byPeer }: FigureGroup,
  revisions: { readonly current: string; readonly base: string },
): Comparison[] {
  const current = byPeer.get(revisions.current);
  const base = byPeer.get(revisions.base);
  const ratios = pairedRatios(current, base);
  if (!current || !base || ratios.length === 0) {
    return [];
  }
  const others = [...byPeer.values()].filter(
    ({ peer }) => !Object.values(revisions).includes(peer),
  );
  const floor = others.find(({ peer }) => peer === limit) ?? others[0];
  const reference = others.find((other) => other !== floor);
  const unmoved = pairedRatios(floor, reference);
  const noise = noiseOf(unmoved.length > 0 ? unmoved : ratios);
  return [
    {
      scenario,
      row,
      metric,
      unit,
      current: spreadOf(current.samples),
      base: spreadOf(base.samples),
      ratio: spreadOf(ratios),
      noise,
      verdict: verdictOf(ratios, noise, metric),
    },
  ];
}

/**
 * A figure moved if all repeats agree on the direction, and the median moved further than both 5 % and the
 * noise. The noise is how far the ratio of two peers whose code is the same in all repeats, the floor and
 * BullMQ, went from its own median; where they were not measured, that of the revisions themselves.
 */
function verdictOf(ratios: readonly number[], noise: number, metric: string): Verdict {
  if (ratios.length < minPairs) {
    return "too few repeats";
  }
  const agree = ratios.every((ratio) => ratio > 1) || ratios.every((ratio) => ratio < 1);
  const middle = median(ratios);
  if (!agree || distance(middle) <= Math.max(minMove, noise)) {
    return "same";
  }
  return directionOf(middle, metric);
}

export function directionOf(ratio: number, metric: string): Verdict {
  return ratio > 1 === isHigherBetter(metric) ? "better" : "worse";
}

/** Twice and half are as far from one. */
export function distance(ratio: number): number {
  return Math.max(ratio, 1 / ratio) - 1;
}

function noiseOf(ratios: readonly number[]): number {
  const middle = median(ratios);
  return Math.max(...ratios.map((ratio) => (ratio === middle ? 0 : distance(ratio / middle))));
}

/** What moved comes first, then a line for how much did not. */
export function comparisonTable(comparisons: readonly Comparison[]): string {
  const moved = comparisons.filter(({ verdict }) => verdict === "worse" || verdict === "better");
  const lines = moved
    .toSorted((first, second) => second.verdict.localeCompare(first.verdict, "en"))
    .map(({ scenario, row, metric, unit, current, base, ratio, noise, verdict }) => [
      verdict === "worse" ? "WORSE" : verdict,
      [scenario, row, metric].filter(Boolean).join(", "),
      unit,
      readable(base.median),
      readable(current.median),
      timesText(ratio.median),
      rangeText(ratio),
      `${readable(noise * 100)} %`,
    ]);
  const heading = ["", "", "", "base", "current", "current ÷ base", "min–max", "noise"];
  const table = textTable(moved.length > 0 ? [heading, ...lines] : [], [
    { align: "left" },
    { align: "left" },
    { align: "left" },
    { align: "right" },
    { align: "right" },
    { align: "right" },
    { align: "left", gap: 1 },
    { align: "right" },
  ]);
  return [table, countLine(comparisons)].filter(Boolean).join("\n");
}

function countLine(comparisons: readonly { readonly verdict: Verdict }[]): string {
  const count = (verdict: Verdict) =>
    comparisons.filter((comparison) => comparison.verdict === verdict).length;
  const few = count("too few repeats");
  const undecided =
    few > 0 ? ` ${few} with fewer than ${minPairs} repeats: nothing can be said of them.` : "";
  return `${count("worse")} worse, ${count("better")} better, ${count("same")} within the noise.${undecided}`;
}
