/** Holds the figures against what they must reach. */
import { ours } from "./figures.ts";
import type { Figure, JudgedTarget, Target } from "./result.ts";
import { median } from "./statistics.ts";

/** A target whose figures are missing. */
export interface UnmeasuredTarget {
  readonly text: string;
  /** Measures it. */
  readonly command: string;
}

/** What a scenario must reach. */
export interface ScenarioTargets {
  readonly name: string;
  readonly targets: readonly Target[];
}

/** Those of the targets whose figures were measured; `unmeasured` has the others. */
export function judge(targets: readonly Target[], figures: readonly Figure[]): JudgedTarget[] {
  return targets.flatMap((target) => {
    const samples = samplesOf(target, figures);
    if (samples === undefined || samples.length === 0) {
      return [];
    }
    const { atLeast = Number.NEGATIVE_INFINITY, atMost = Number.POSITIVE_INFINITY } = target;
    const middle = median(samples);
    const isMet = middle >= atLeast && middle <= atMost;
    return [{ ...target, text: textOf(target), samples, median: middle, isMet }];
  });
}

export function unmeasured(
  { name, targets }: ScenarioTargets,
  figures: readonly Figure[],
): UnmeasuredTarget[] {
  const missing = targets.filter((target) => !samplesOf(target, figures)?.length);
  return missing.map((target) => ({ text: textOf(target), command: commandOf(name) }));
}

/** With all peers: one that is left out would be missing from the page. */
export function commandOf(scenario: string): string {
  return `npm run bench -- --scenario ${scenario}`;
}

/**
 * Pair by pair within a row: what disturbed the machine during one repeat disturbed both. All repeats of one
 * row come before those of the next, so of two rows the medians are compared.
 */
function samplesOf(target: Target, figures: readonly Figure[]): readonly number[] | undefined {
  const { row, metric, against } = target;
  const own = find(figures, { row, metric, peer: ours })?.samples;
  if (!against || !own) {
    return own;
  }
  const other = find(figures, { row, metric, peer: ours, ...against })?.samples;
  if (!other || (against.row !== undefined && against.row !== row)) {
    return other && [median(own) / median(other)];
  }
  return own.map((sample, index) => sample / (other[index] ?? Number.NaN));
}

function find(
  figures: readonly Figure[],
  { row, metric, peer }: { row: string; metric: string; peer: string },
): Figure | undefined {
  return figures.find(
    (figure) => figure.row === row && figure.metric === metric && figure.peer === peer,
  );
}

function textOf({ row, metric, against, atLeast, atMost }: Target): string {
  const limit = [
    ...(atLeast === undefined ? [] : [`at least ${atLeast}`]),
    ...(atMost === undefined ? [] : [`at most ${Number(atMost.toPrecision(3))}`]),
  ].join(" and ");
  if (!against) {
    return `${row}, ${metric}: ${limit}`;
  }
  const other = [against.peer, against.row && `“${against.row}”`, against.metric];
  return `${row}, ${metric}: ${limit} times ${other.filter(Boolean).join(", ")}`;
}
