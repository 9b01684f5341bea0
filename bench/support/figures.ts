/** What figures say together: of one load, of several peers, repeat by repeat. */
import type { Figure } from "./result.ts";
import { median } from "./statistics.ts";

export const ours = "holdfast";
/** The same data moved by bare commands: a limit, and nobody's queue. */
export const limit = "floor";
/** The first that was measured stands beside ours in the tables. */
export const rivals = ["bullmq", limit] as const;

/** Tells what the setting is like, for instance how long a round trip takes: no peer, and compared with nothing. */
export const ping = "PING";

export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** One row and metric, of all peers. */
export interface FigureGroup {
  readonly row: string;
  readonly metric: string;
  readonly unit: string;
  readonly byPeer: ReadonlyMap<string, Figure>;
}

export function spreadOf(samples: readonly number[]): Spread {
  return { median: median(samples), min: Math.min(...samples), max: Math.max(...samples) };
}

export function isOfPeer({ peer }: Figure): boolean {
  return peer !== ping;
}

/** In the order in which they were measured, the metrics of a row together. */
export function groupFigures(figures: readonly Figure[]): FigureGroup[] {
  const rows = groupBy(figures, ({ row }) => row);
  return [...rows].flatMap(([row, ofRow]) =>
    [...groupBy(ofRow, ({ metric }) => metric)].map(([metric, members]) => ({
      row,
      metric,
      unit: members[0]?.unit ?? "",
      byPeer: new Map(members.map((figure) => [figure.peer, figure])),
    })),
  );
}

export function groupBy<Item>(
  items: Iterable<Item>,
  keyOf: (item: Item) => string,
): Map<string, Item[]> {
  const groups = new Map<string, Item[]>();
  for (const item of items) {
    const group = groups.get(keyOf(item)) ?? [];
    groups.set(keyOf(item), group);
    group.push(item);
  }
  return groups;
}

/** Ours first, the limit last, the others as they were measured. */
export function peersOf(figures: readonly Figure[]): string[] {
  const rank = (peer: string) => (peer === ours ? 0 : peer === limit ? 2 : 1);
  return [...new Set(figures.map(({ peer }) => peer))].toSorted(
    (first, second) => rank(first) - rank(second),
  );
}

export function rivalOf(peers: readonly string[]): string | undefined {
  return peers.includes(ours) ? rivals.find((rival) => peers.includes(rival)) : undefined;
}

/**
 * How many times the second each sample of the first is, pair by pair: what disturbed the machine
 * during one repeat disturbed both. Empty where they do not pair up.
 */
export function pairedRatios(own: Figure | undefined, other: Figure | undefined): number[] {
  if (!own || !other || own.samples.length !== other.samples.length) {
    return [];
  }
  return own.samples.map((sample, index) => {
    const beside = other.samples[index] ?? Number.NaN;
    return sample === beside ? 1 : sample / beside;
  });
}

/** What is counted by the second should be high; everything else is a cost. */
export function isHigherBetter(metric: string): boolean {
  return /\ba second\b/.test(metric);
}
