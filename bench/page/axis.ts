/** The axis below a chart, with a pale line upwards from each of its numbers. */
import { shortNumber } from "../support/numbers.ts";
import type { Scale } from "./scales.ts";
import * as svg from "./svg.ts";

export const axisHeight = 52;

export function drawAxis(
  { at, ticks }: Scale,
  name: string,
  [top, bottom]: readonly [number, number],
): string {
  const marks = ticks.flatMap((tick) => [
    svg.line([at(tick), top], [at(tick), bottom], { stroke: svg.gridColour }),
    svg.text(at(tick), bottom + 14, shortNumber(tick), {
      "text-anchor": "middle",
      fill: svg.faintInk,
    }),
  ]);
  const start = at(ticks[0] ?? 0);
  const label = svg.text(start, bottom + 32, name, {
    fill: svg.faintInk,
    "font-style": "italic",
  });
  return svg.element("g", {}, ...marks, label);
}
