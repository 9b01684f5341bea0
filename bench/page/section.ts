/** What the page says of one scenario, below the words about it. */
import {
  type FigureGroup,
  groupFigures,
  isOfPeer,
  ours,
  pairedRatios,
  peersOf,
  rivalOf,
  spreadOf,
} from "../support/figures.ts";
import { rangeText, readable, timesText } from "../support/numbers.ts";
import type { Figure, JudgedTarget } from "../support/result.ts";
import { dissent, settingLines } from "../support/table.ts";
import { commandOf, type UnmeasuredTarget } from "../support/targets.ts";
import type { Chart } from "./charts.ts";
import { folded, markdownTable } from "./markdown.ts";
import { type Measured, ownFacts, type RunFacts } from "./measured.ts";

const maxOpenLines = 12;

export function sectionText(
  { scenario, run }: Measured,
  {
    charts,
    common,
    missing,
  }: {
    readonly charts: readonly Chart[];
    readonly common: RunFacts;
    readonly missing: readonly UnmeasuredTarget[];
  },
): string {
  const { name, error, figures, targets } = scenario;
  const facts = [...ownFacts(run, common)].map(([fact, value]) => `${fact} ${value}`);
  const pictures = charts.map(({ file, title }) => `![${title}](benchmarks/${file})`);
  const parts = [
    ...(error === undefined ? [] : [`**This scenario failed:** ${error}`]),
    ...pictures,
    targetText(targets, missing),
    ...(figures.length > 0 ? [figureText(figures)] : []),
    ...(facts.length > 0 ? [`Measured by itself: ${facts.join(", ")}.`] : []),
    `Measure it: \`${commandOf(name)}\``,
  ];
  return parts.filter(Boolean).join("\n\n");
}

/** Of a scenario that no run has measured. */
export function absentText(name: string, missing: readonly UnmeasuredTarget[]): string {
  const parts = [targetText([], missing), `No figures yet: \`${commandOf(name)}\``];
  return parts.filter(Boolean).join("\n\n");
}

function figureText(all: readonly Figure[]): string {
  const figures = all.filter(isOfPeer);
  const peers = peersOf(figures);
  const rival = rivalOf(peers);
  const groups = groupFigures(figures);
  const heading = ["", "", ...peers, ...(rival ? [`× ${rival}`] : [])];
  const lines = groups.map((group, index) => {
    const row = group.row === groups[index - 1]?.row ? "" : group.row;
    const spreads = peers.map((peer) => spreadText(group.byPeer.get(peer)));
    return [row, `${group.metric}, ${group.unit}`].concat(
      spreads,
      rival ? [ratioText(group, rival)] : [],
    );
  });
  const table = markdownTable([heading, ...lines], 2);
  const notes = figures.flatMap(({ row, metric, peer, note }) =>
    note ? [`${[row, metric, peer].filter(Boolean).join(", ")}: ${note}.`] : [],
  );
  const whole = [table, ...notes].join("\n\n");
  const setting = settingLines(all).map((line) => `- ${line}`);
  const tables = lines.length > maxOpenLines ? folded("All figures", whole) : whole;
  return [setting.join("\n"), tables].filter(Boolean).join("\n\n");
}

function spreadText(figure: Figure | undefined): string {
  if (!figure) {
    return "–";
  }
  const spread = spreadOf(figure.samples);
  const range = rangeText(spread);
  return `**${readable(spread.median)}**${range.includes("–") ? ` (${range})` : ""}`;
}

function ratioText({ byPeer }: FigureGroup, rival: string): string {
  const ratios = pairedRatios(byPeer.get(ours), byPeer.get(rival));
  return ratios.length > 0 ? timesText(spreadOf(ratios).median) : "–";
}

/** Empty without targets. */
function targetText(
  targets: readonly JudgedTarget[],
  missing: readonly UnmeasuredTarget[],
): string {
  const judged = targets.map((target) => [
    target.text,
    target.isMet ? "met" : "**missed**",
    `${readable(target.median)}${target.against ? "×" : ""} (${rangeText(spreadOf(target.samples))}${dissent(target)})`,
  ]);
  const unjudged = missing.map(({ text, command }) => [text, "not measured", `\`${command}\``]);
  const lines = [...judged, ...unjudged];
  return lines.length > 0 ? markdownTable([["target", "", "measured"], ...lines], 2) : "";
}
