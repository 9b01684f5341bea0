/** The table that people read, and the file that is kept. */
import { existsSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Figure } from "./scenario.ts";
import { median } from "./statistics.ts";

const resultsFolder = join(import.meta.dirname, "../results");

export interface ScenarioResult {
  readonly name: string;
  readonly description: string;
  readonly target?: string | undefined;
  readonly figures: readonly Figure[];
  readonly error?: string | undefined;
}

export function figureTable(figures: readonly Figure[]): string {
  const rows = figures.map((figure) => [
    figure.metric,
    readable(median(figure.samples)),
    `${readable(Math.min(...figure.samples))}–${readable(Math.max(...figure.samples))}`,
    figure.unit,
    verdict(figure),
  ]);
  const table = [["", "median", "min–max", "unit", ""], ...rows];
  const widths = [0, 1, 2, 3].map((column) =>
    Math.max(...table.map((row) => row[column]?.length ?? 0)),
  );
  const lines = table.map((row) =>
    row
      .map((cell, column) =>
        column === 1 || column === 2
          ? cell.padStart(widths[column] ?? 0)
          : cell.padEnd(widths[column] ?? 0),
      )
      .join("  "),
  );
  return lines.map((line) => `  ${line}`.trimEnd()).join("\n");
}

function verdict(figure: Figure): string {
  const { atMost, mark, note, samples } = figure;
  const parts = [mark && `mark: ${mark}`, note].filter(Boolean);
  if (atMost !== undefined) {
    const misses = samples.filter((sample) => !(sample <= atMost)).length;
    // Also where the median is within: nobody should have to work that out from the spread.
    const dissent = misses > 0 ? ` (over in ${misses} of ${samples.length})` : "";
    parts.unshift(`target ≤ ${atMost}: ${isMet(figure) ? "met" : "MISSED"}${dissent}`);
  }
  return parts.join("; ");
}

/** Undefined where there is no target. */
function isMet({ atMost, judgedSamples, samples }: Figure): boolean | undefined {
  if (atMost === undefined) {
    return undefined;
  }
  return judgedSamples
    ? judgedSamples.every((sample) => sample <= atMost)
    : median(samples) <= atMost;
}

export function targetLine(results: readonly ScenarioResult[]): string {
  const judged = results
    .flatMap(({ figures }) => figures)
    .map(isMet)
    .filter((met) => met !== undefined);
  const met = judged.filter(Boolean).length;
  return `Targets: ${met} met, ${judged.length - met} missed.`;
}

export function withSummary(result: ScenarioResult): object {
  const figures = result.figures.map((figure) => ({
    ...figure,
    median: median(figure.samples),
    min: Math.min(...figure.samples),
    max: Math.max(...figure.samples),
    isMet: isMet(figure),
  }));
  return { ...result, figures };
}

/** Quick runs are for trying the programs out: git ignores their files. */
export function defaultResultFile(date: Date, commit: string, isQuick: boolean): string {
  const day = date.toISOString().slice(0, 10);
  for (let number = 1; ; number += 1) {
    const serial = number === 1 ? "" : `-${number}`;
    const ending = isQuick ? "-quick.local.json" : ".json";
    const path = join(resultsFolder, `${day}-${commit}${serial}${ending}`);
    if (!existsSync(path)) {
      return path;
    }
  }
}

export async function writeResult(path: string, content: object): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, `${JSON.stringify(content, undefined, 2)}\n`);
}

function readable(value: number): string {
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2;
  return value.toLocaleString("en-US", {
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
  });
}
