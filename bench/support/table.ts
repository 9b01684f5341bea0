/** What a run prints: the figures of each peer beside each other, and which targets were met. */
import {
  type FigureGroup,
  groupFigures,
  isOfPeer,
  ours,
  pairedRatios,
  peersOf,
  rivalOf,
  spreadOf,
} from "./figures.ts";
import { rangeText, readable, timesText } from "./numbers.ts";
import type { Figure, JudgedTarget, ScenarioResult } from "./result.ts";
import type { UnmeasuredTarget } from "./targets.ts";
import { textTable } from "./text-table.ts";

/** A line for each metric below its row; a median with its spread for each peer. What is of no peer stands above. */
export function figureTable(all: readonly Figure[]): string {
  const figures = all.filter(isOfPeer);
  const peers = peersOf(figures);
  const rival = rivalOf(peers);
  const heads = peers.flatMap((peer) => [peer, "min–max"]);
  const lines: (string[] | string)[] = [["", "", ...heads, ...(rival ? [`× ${rival}`] : [])]];
  let lastRow: string | undefined;
  for (const group of groupFigures(figures)) {
    if (group.row !== lastRow && group.row !== "") {
      lines.push(group.row);
    }
    lastRow = group.row;
    lines.push(figureLine(group, peers, rival), ...noteLines(group));
  }
  const table = textTable(lines, [
    { align: "left" },
    { align: "left" },
    ...peers.flatMap(() => [{ align: "right" } as const, { align: "left", gap: 1 } as const]),
    { align: "right" },
  ]);
  return [...settingLines(all), table].join("\n");
}

/** What was measured of the setting and not of a peer. */
export function settingLines(figures: readonly Figure[]): string[] {
  return figures
    .filter((figure) => !isOfPeer(figure))
    .map(({ row, metric, unit, peer, samples }) => {
      const spread = spreadOf(samples);
      return `${peer}, ${row}: ${metric} ${readable(spread.median)} ${unit} (${rangeText(spread)})`;
    });
}

function figureLine(
  { metric, unit, byPeer }: FigureGroup,
  peers: readonly string[],
  rival: string | undefined,
): string[] {
  const cells = peers.flatMap((peer) => {
    const figure = byPeer.get(peer);
    if (!figure) {
      return ["–", ""];
    }
    const spread = spreadOf(figure.samples);
    return [readable(spread.median), rangeText(spread)];
  });
  const ratios = rival ? pairedRatios(byPeer.get(ours), byPeer.get(rival)) : [];
  const times = ratios.length > 0 ? timesText(spreadOf(ratios).median) : "–";
  return [`  ${metric}`, unit, ...cells, ...(rival ? [times] : [])];
}

function noteLines({ byPeer }: FigureGroup): string[] {
  return [...byPeer.values()].flatMap(({ peer, note }) => (note ? [`    ${peer}: ${note}`] : []));
}

/** Empty without targets. */
export function targetTable(
  targets: readonly JudgedTarget[],
  missing: readonly UnmeasuredTarget[] = [],
): string {
  const judged = targets.map((target) => [
    target.isMet ? "met" : "MISSED",
    target.text,
    `${readable(target.median)}${target.against ? "×" : ""}`,
    `${rangeText(spreadOf(target.samples))}${dissent(target)}`,
  ]);
  const unjudged = missing.map(({ text, command }) => ["not measured", text, "–", command]);
  return textTable(
    [...judged, ...unjudged],
    [{ align: "left" }, { align: "left" }, { align: "right" }, { align: "left", gap: 1 }],
  );
}

/** Also where the median is within: nobody should have to work that out from the spread. */
export function dissent({ samples, atLeast, atMost }: JudgedTarget): string {
  const misses = samples.filter(
    (sample) => !(sample >= (atLeast ?? -Infinity) && sample <= (atMost ?? Infinity)),
  ).length;
  return misses > 0 ? `, missed in ${misses} of ${samples.length}` : "";
}

/** Where the time of a run went, the longest first. */
export function timeLine(scenarios: readonly ScenarioResult[], allSeconds: number): string {
  const times = scenarios
    .toSorted((first, second) => (second.seconds ?? 0) - (first.seconds ?? 0))
    .map(({ name, seconds = 0 }) => `${name} ${seconds} s`);
  return `Time: ${Math.round(allSeconds)} s; ${times.join(", ")}.`;
}

/** @param missing how many targets were not measured */
export function summaryLine(scenarios: readonly ScenarioResult[], missing = 0): string {
  const targets = scenarios.flatMap((scenario) => scenario.targets);
  const met = targets.filter(({ isMet }) => isMet).length;
  const failed = scenarios.filter(({ error }) => error !== undefined).map(({ name }) => name);
  const failures = failed.length > 0 ? ` Failed: ${failed.join(", ")}.` : "";
  const unjudged = missing > 0 ? `, ${missing} not measured` : "";
  return `Targets: ${met} met, ${targets.length - met} missed${unjudged}.${failures}`;
}
