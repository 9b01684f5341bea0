/** Single calls to the server, each of which must be short. */
import type { TimedSample } from "./call-timer.ts";
import type { Figures } from "./scenario.ts";
import type { Target } from "./result.ts";

const longest = "longest call";

/**
 * A call that took longer than the processor time the server used was kept waiting by the machine. So
 * the longest call is judged by the smaller of the two.
 */
export function addTimedCalls(figures: Figures, row: string, timed: readonly TimedSample[]): void {
  const facts = { row, unit: "ms", peer: "holdfast" };
  const elapsed = timed.map(({ elapsedMs }) => elapsedMs);
  figures.add({ ...facts, metric: "time of a call" }, ...elapsed);
  const used = timed.map(({ elapsedMs, cpuMs }) => Math.min(elapsedMs, cpuMs));
  figures.add({ ...facts, metric: longest }, Math.max(...used));
}

/** For every row that the figures have. */
export function longestCallTargets(rows: readonly string[], atMost: number): Target[] {
  return rows.map((row) => ({ row, metric: longest, atMost }));
}
