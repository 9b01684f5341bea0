/** Lines over a logarithmic size, a panel for each metric: does the cost grow with the size? */
import { type FigureGroup, groupBy, peersOf, type Spread, spreadOf } from "../support/figures.ts";
import { rangeText, readable, shortNumber } from "../support/numbers.ts";
import { colourOf } from "./colours.ts";
import { linearScale, logScale, type Scale } from "./scales.ts";
import * as svg from "./svg.ts";

const width = 760;
const maxColumns = 3;
const panelHeight = 250;
const plotTop = 44;
const plotBottom = 200;
const tickWidth = 44;
const nameHeight = 14;

interface Point extends Spread {
  readonly row: string;
  readonly size: number;
}

interface Line {
  readonly peer: string;
  readonly points: readonly Point[];
}

/** @throws Error if a row does not begin with a number, for instance "10,000 delayed" */
export function lineChart(
  groups: readonly FigureGroup[],
  head: { readonly title: string; readonly subtitle: string },
): string {
  const peers = peersOf(groups.flatMap(({ byPeer }) => [...byPeer.values()]));
  const panels = [...groupBy(groups, ({ metric }) => metric).values()];
  const columns = Math.min(maxColumns, panels.length);
  const panelWidth = (width - 2 * svg.margin) / columns;
  const drawn = panels.map((panel, index) => {
    const x = svg.margin + (index % columns) * panelWidth;
    const y = svg.headHeight + Math.floor(index / columns) * panelHeight;
    const place = `translate(${x.toFixed(2)},${y})`;
    return svg.element("g", { transform: place }, drawPanel(panel, peers, panelWidth));
  });
  const height = svg.headHeight + Math.ceil(panels.length / columns) * panelHeight;
  return svg.card({ ...head, width, height }, ...drawn);
}

function drawPanel(
  groups: readonly FigureGroup[],
  peers: readonly string[],
  panelWidth: number,
): string {
  const { metric = "", unit = "", row = "" } = groups[0] ?? {};
  const lines = peers
    .map((peer) => ({ peer, points: pointsOf(groups, peer) }))
    .filter(({ points }) => points.length > 0);
  const points = lines.flatMap((line) => line.points);
  const nameWidth = Math.max(...lines.map(({ peer }) => svg.textWidth(peer)));
  const right = panelWidth - nameWidth - 14;
  const x = logScale(
    points.map(({ size }) => size),
    tickWidth,
    right,
  );
  const y = linearScale(Math.max(...points.map(({ max }) => max)) * 1.05, plotBottom, plotTop);
  const names = spreadOut(lines.map(({ points: own }) => y.at(own.at(-1)?.median ?? 0)));
  return [
    svg.text(0, 12, metric, { "font-weight": 600 }),
    svg.text(0, 30, unit, { fill: svg.faintInk, "font-style": "italic" }),
    drawAxes(x, y, right),
    svg.text(tickWidth, plotBottom + 36, row.replace(/^[\d,]+\s*/, ""), {
      fill: svg.faintInk,
      "font-style": "italic",
    }),
    ...lines.flatMap((line, index) => {
      const colour = colourOf(line.peer, peers);
      const name = svg.text(right + 8, (names[index] ?? 0) + 4, line.peer, {
        fill: colour,
        "font-weight": 600,
      });
      return [drawLine(line, `${metric}, ${unit}`, colour, { x, y }), name];
    }),
  ].join("");
}

function pointsOf(groups: readonly FigureGroup[], peer: string): Point[] {
  return groups
    .flatMap(({ row, byPeer }) => {
      const samples = byPeer.get(peer)?.samples;
      return samples ? [{ row, size: sizeOf(row), ...spreadOf(samples) }] : [];
    })
    .toSorted((first, second) => first.size - second.size);
}

function sizeOf(row: string): number {
  const digits = /^[\d,]+/.exec(row)?.[0];
  if (digits === undefined) {
    throw new Error(`a line over sizes needs rows that begin with a number, not "${row}"`);
  }
  return Number(digits.replaceAll(",", ""));
}

function drawLine(
  { peer, points }: Line,
  meaning: string,
  colour: string,
  { x, y }: { x: Scale; y: Scale },
): string {
  const corners = points.map(
    ({ size, median }) => `${x.at(size).toFixed(2)},${y.at(median).toFixed(2)}`,
  );
  const marks = points.map(({ row, size, ...spread }) =>
    svg.element(
      "g",
      {},
      svg.tooltip(`${peer}, ${row}, ${meaning}: ${readable(spread.median)} (${rangeText(spread)})`),
      svg.line([x.at(size), y.at(spread.min)], [x.at(size), y.at(spread.max)], {
        class: "whisker",
        stroke: colour,
        "stroke-width": 1.5,
      }),
      svg.element("circle", {
        class: "point",
        cx: x.at(size),
        cy: y.at(spread.median),
        r: 3.5,
        fill: colour,
      }),
    ),
  );
  const path = { points: corners.join(" "), fill: "none", stroke: colour, "stroke-width": 2 };
  return svg.element("g", {}, svg.element("polyline", path), ...marks);
}

function drawAxes(x: Scale, y: Scale, right: number): string {
  const faint = { fill: svg.faintInk, "font-size": 11 };
  const rows = y.ticks.flatMap((tick) => [
    svg.line([tickWidth, y.at(tick)], [right, y.at(tick)], { stroke: svg.gridColour }),
    svg.text(tickWidth - 6, y.at(tick) + 4, shortNumber(tick), { ...faint, "text-anchor": "end" }),
  ]);
  const columns = x.ticks.map((tick) =>
    svg.text(x.at(tick), plotBottom + 18, shortNumber(tick), { ...faint, "text-anchor": "middle" }),
  );
  return svg.element("g", {}, ...rows, ...columns);
}

/** Moves names apart that would stand on each other. */
function spreadOut(places: readonly number[]): number[] {
  const order = places.map((_, index) => index).toSorted((a, b) => places[a]! - places[b]!);
  const moved = [...places];
  for (const [rank, index] of order.entries()) {
    const above = order[rank - 1];
    if (above !== undefined) {
      moved[index] = Math.max(moved[index]!, moved[above]! + nameHeight);
    }
  }
  return moved;
}
