/** Bars that lie on their side: names of any length stand in front of them. */
import { type FigureGroup, groupBy, peersOf, type Spread, spreadOf } from "../support/figures.ts";
import { rangeText, readable } from "../support/numbers.ts";
import { axisHeight, drawAxis } from "./axis.ts";
import { colourOf } from "./colours.ts";
import { linearScale, type Scale } from "./scales.ts";
import * as svg from "./svg.ts";

const width = 760;
const barHeight = 14;
const barPitch = 18;
const labelHeight = 20;
const groupGap = 8;
const panelTitleHeight = 22;

/** Bars that share an axis. */
interface Panel {
  readonly title: string;
  readonly unit: string;
  readonly groups: readonly { readonly label: string; readonly figures: FigureGroup }[];
}

export function barChart(
  groups: readonly FigureGroup[],
  head: { readonly title: string; readonly subtitle: string },
): string {
  const peers = peersOf(groups.flatMap(({ byPeer }) => [...byPeer.values()]));
  const left = svg.margin + Math.max(...peers.map((peer) => svg.textWidth(peer))) + 8;
  const parts: string[] = [];
  let y = svg.headHeight;
  for (const panel of panelsOf(groups)) {
    const drawn = drawPanel(panel, peers, left, y);
    parts.push(...drawn.parts);
    y = drawn.bottom;
  }
  return svg.card({ ...head, width, height: y + 4 }, ...parts);
}

/** A metric of several rows is one panel. Metrics of a single row share one as far as their units allow. */
function panelsOf(groups: readonly FigureGroup[]): Panel[] {
  const isSingleRow = new Set(groups.map(({ row }) => row)).size === 1;
  const panels = groupBy(groups, ({ metric, unit }) => (isSingleRow ? unit : metric));
  return [...panels.values()].map((members) => ({
    title: isSingleRow ? (members[0]?.row ?? "") : (members[0]?.metric ?? ""),
    unit: members[0]?.unit ?? "",
    groups: members.map((figures) => ({
      label: isSingleRow ? figures.metric : figures.row,
      figures,
    })),
  }));
}

function drawPanel(
  { title, unit, groups }: Panel,
  peers: readonly string[],
  left: number,
  top: number,
): { parts: string[]; bottom: number } {
  const spreads = groups.flatMap(({ figures }) =>
    [...figures.byPeer.values()].map(({ samples }) => spreadOf(samples)),
  );
  const largest = Math.max(...spreads.map(({ max }) => max));
  const valueWidth = Math.max(...spreads.map(({ median }) => svg.textWidth(readable(median))));
  const scale = linearScale(largest, left, width - svg.margin - valueWidth - 8);
  const bars: string[] = [svg.text(svg.margin, top + 12, title, { "font-weight": 600 })];
  let y = top + panelTitleHeight;
  const firstBarY = y;
  for (const { label, figures } of groups) {
    bars.push(svg.text(left + 4, y + 13, label, { fill: svg.faintInk }));
    y += labelHeight;
    for (const peer of peers.filter((name) => figures.byPeer.has(name))) {
      const spread = spreadOf(figures.byPeer.get(peer)?.samples ?? []);
      const colour = colourOf(peer, peers);
      bars.push(drawBar({ peer, label, unit, spread, colour }, scale, left, y));
      y += barPitch;
    }
    y += groupGap;
  }
  return { parts: [drawAxis(scale, unit, [firstBarY, y]), ...bars], bottom: y + axisHeight };
}

function drawBar(
  { peer, label, unit, spread, colour }: BarFacts,
  { at }: Scale,
  left: number,
  y: number,
): string {
  const middle = y + barHeight / 2;
  const [low, high] = [at(spread.min), at(spread.max)];
  const ends = `M${low.toFixed(2)},${middle - 4}v8m0,-4H${high.toFixed(2)}m0,-4v8`;
  const box = { x: left, y, width: at(spread.median) - left, height: barHeight, rx: 2 };
  const meaning = `${peer}, ${label}: ${readable(spread.median)} ${unit} (${rangeText(spread)})`;
  return svg.element(
    "g",
    {},
    svg.tooltip(meaning),
    svg.text(left - 8, y + 11, peer, { "text-anchor": "end" }),
    svg.element("rect", { class: "bar", ...box, fill: colour }),
    // A pale edge keeps it visible on the bar.
    svg.element("path", { d: ends, stroke: "#ffffff", "stroke-width": 3.5, fill: "none" }),
    svg.element("path", { class: "whisker", d: ends, stroke: svg.ink, fill: "none" }),
    svg.text(high + 6, y + 11, readable(spread.median), { "font-weight": 600 }),
  );
}

interface BarFacts {
  readonly peer: string;
  readonly label: string;
  readonly unit: string;
  readonly spread: Spread;
  readonly colour: string;
}
