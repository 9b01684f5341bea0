/** Where another library does better than holdfast: worked out, so that no figure can be left out. */
import {
  groupFigures,
  isHigherBetter,
  limit,
  ours,
  pairedRatios,
  type Spread,
  spreadOf,
} from "../support/figures.ts";
import type { ScenarioResult } from "../support/result.ts";

export interface Win {
  readonly scenario: string;
  readonly row: string;
  readonly metric: string;
  readonly unit: string;
  readonly peer: string;
  readonly own: Spread;
  readonly other: Spread;
  /** How many times the peer's figure ours is, pair by pair. */
  readonly ratio: Spread;
  /** The peer did better in every single repeat, not only in the median. */
  readonly isClear: boolean;
}

export function winsOfPeers(scenarios: readonly ScenarioResult[]): Win[] {
  return scenarios.flatMap(({ name, figures }) =>
    groupFigures(figures).flatMap(({ row, metric, unit, byPeer }) => {
      const own = byPeer.get(ours);
      return [...byPeer.values()].filter(isPeer).flatMap((other) => {
        const ratios = pairedRatios(own, other);
        if (!own || ratios.length === 0) {
          return [];
        }
        const ratio = spreadOf(ratios);
        const isBehind = (value: number) => (isHigherBetter(metric) ? value < 1 : value > 1);
        const spreads = { own: spreadOf(own.samples), other: spreadOf(other.samples), ratio };
        const facts = { scenario: name, row, metric, unit, peer: other.peer, ...spreads };
        return isBehind(ratio.median) ? [{ ...facts, isClear: ratios.every(isBehind) }] : [];
      });
    }),
  );
}

/** The floor is no queue, and another revision of holdfast no other library. */
function isPeer({ peer }: { peer: string }): boolean {
  return peer !== limit && peer.split("@")[0] !== ours;
}
