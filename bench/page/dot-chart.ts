/** Points on a logarithmic axis: for times that differ by factors. A line for each peer of a row, a point for each metric. */
import { type FigureGroup, groupBy, peersOf, spreadOf } from "../support/figures.ts";
import { rangeText, readable } from "../support/numbers.ts";
import { axisHeight, drawAxis } from "./axis.ts";
import { colourOf } from "./colours.ts";
import { logScale, type Scale } from "./scales.ts";
import * as svg from "./svg.ts";

const width = 760;
const linePitch = 20;
const labelHeight = 22;
const groupGap = 8;
const keyHeight = 24;
const radius = 5;

/** Around its own middle. One for each metric, in order. */
const shapes = [
  `M-${radius},0a${radius},${radius} 0 1,0 ${2 * radius},0a${radius},${radius} 0 1,0 -${2 * radius},0z`,
  "M0,-6L6,0L0,6L-6,0z",
  "M0,-6L6,5L-6,5z",
  "M-5,-5H5V5H-5z",
] as const;

export function dotChart(
  groups: readonly FigureGroup[],
  head: { readonly title: string; readonly subtitle: string },
): string {
  const figures = groups.flatMap(({ byPeer }) => [...byPeer.values()]);
  const peers = peersOf(figures);
  const metrics = [...new Set(groups.map(({ metric }) => metric))];
  const left = svg.margin + Math.max(...peers.map((peer) => svg.textWidth(peer))) + 16;
  const lines = linesOf(groups, peers);
  const valueWidth = Math.max(...lines.map((line) => svg.textWidth(valuesText(line))));
  const scale = logScale(
    figures.flatMap(({ samples }) => samples),
    left,
    width - svg.margin - valueWidth - 16,
  );
  const parts = [drawKey(metrics, svg.headHeight)];
  const top = svg.headHeight + keyHeight;
  let y = top;
  for (const [row, ofRow] of groupBy(lines, (line) => line.row)) {
    parts.push(svg.text(left + 4, y + 14, row, { fill: svg.faintInk }));
    y += labelHeight;
    for (const line of ofRow) {
      parts.push(drawLine(line, metrics, colourOf(line.peer, peers), { scale, left, y }));
      y += linePitch;
    }
    y += groupGap;
  }
  const axis = drawAxis(scale, `${groups[0]?.unit ?? ""}, logarithmic`, [top, y]);
  return svg.card({ ...head, width, height: y + axisHeight }, axis, ...parts);
}

interface Line {
  readonly row: string;
  readonly peer: string;
  readonly groups: readonly FigureGroup[];
}

function linesOf(groups: readonly FigureGroup[], peers: readonly string[]): Line[] {
  return [...groupBy(groups, ({ row }) => row)].flatMap(([row, ofRow]) =>
    peers
      .map((peer) => ({ row, peer, groups: ofRow.filter(({ byPeer }) => byPeer.has(peer)) }))
      .filter((line) => line.groups.length > 0),
  );
}

function spreadsOf({ peer, groups }: Line) {
  return groups.map(({ metric, unit, byPeer }) => ({
    metric,
    unit,
    ...spreadOf(byPeer.get(peer)?.samples ?? []),
  }));
}

function valuesText(line: Line): string {
  return spreadsOf(line)
    .map(({ median }) => readable(median))
    .join(" · ");
}

function drawLine(
  line: Line,
  metrics: readonly string[],
  colour: string,
  { scale, left, y }: { scale: Scale; left: number; y: number },
): string {
  const middle = y + linePitch / 2;
  const points = spreadsOf(line).map(({ metric, unit, median, min, max }) => {
    const meaning = `${line.peer}, ${line.row}, ${metric}: ${readable(median)} ${unit} (${rangeText({ min, max })})`;
    const place = `translate(${scale.at(median).toFixed(2)},${middle})`;
    return svg.element(
      "g",
      {},
      svg.tooltip(meaning),
      svg.line([scale.at(min), middle], [scale.at(max), middle], {
        class: "whisker",
        stroke: colour,
        "stroke-width": 2,
      }),
      svg.element("path", {
        class: "point",
        d: shapeOf(metric, metrics),
        transform: place,
        fill: colour,
        stroke: "#ffffff",
      }),
    );
  });
  return svg.element(
    "g",
    {},
    svg.text(left - 16, middle + 4, line.peer, { "text-anchor": "end" }),
    ...points,
    svg.text(width - svg.margin, middle + 4, valuesText(line), {
      "text-anchor": "end",
      "font-weight": 600,
    }),
  );
}

function shapeOf(metric: string, metrics: readonly string[]): string {
  return shapes[metrics.indexOf(metric) % shapes.length] ?? shapes[0];
}

function drawKey(metrics: readonly string[], top: number): string {
  let x = svg.margin + radius;
  const entries = metrics.flatMap((metric) => {
    const place = `translate(${x.toFixed(2)},${top + 4})`;
    const entry = [
      svg.element("path", { d: shapeOf(metric, metrics), transform: place, fill: svg.faintInk }),
      svg.text(x + 12, top + 8, metric, { fill: svg.faintInk }),
    ];
    x += 12 + svg.textWidth(metric) + 24;
    return entry;
  });
  return svg.element("g", {}, ...entries);
}
