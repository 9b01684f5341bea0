/** What a scenario is, what it is given, and what it answers. */
import type { BenchQueue, QueueSettings } from "./bench-queue.ts";
import type { BenchServer } from "./bench-server.ts";
import type { Figure, Target } from "./result.ts";

/** A library under measurement, or one revision of holdfast. */
export interface BenchPeer {
  /** Stands in the tables. */
  readonly name: string;
  /** A file of `bench/peers`, without its ending. */
  readonly module: string;
  /** Of holdfast: the built package to load, if it is not that of this checkout. */
  readonly dist?: string;
}

export interface Scenario {
  readonly name: string;
  readonly description: string;
  /** The modules of `bench/peers` that it can measure; others are left out. */
  readonly peers: readonly string[];
  readonly targets: readonly Target[];
  /** A scenario that takes longer has failed. */
  readonly timeLimitMs: number;
  /** Why a quick run leaves it out unless it is named. */
  readonly notQuick?: string;
  run(context: ScenarioContext): Promise<readonly Figure[]>;
}

export interface ScenarioContext {
  readonly isQuick: boolean;
  readonly repeats: number;
  readonly peers: readonly BenchPeer[];
  readonly server: BenchServer;
  progress(text: string): void;
  /** A new queue of this peer. Its processes are ended and its keys removed at the end of the scenario, if not before. */
  openQueue(peer: BenchPeer, settings?: QueueSettings): BenchQueue;
}

/** Collects samples, each under its row, metric and peer. */
export class Figures {
  readonly #figures = new Map<string, Figure & { samples: number[] }>();

  add(facts: Omit<Figure, "samples">, ...samples: readonly number[]): void {
    const key = JSON.stringify([facts.row, facts.metric, facts.peer]);
    const figure = this.#figures.get(key) ?? { ...facts, samples: [] };
    figure.samples.push(...samples);
    this.#figures.set(key, figure);
  }

  get all(): readonly Figure[] {
    return [...this.#figures.values()];
  }
}

/** Measures the peers in turn, again and again, and lets another one begin each time. */
export async function interleave(
  { peers, repeats, progress }: ScenarioContext,
  label: string,
  measure: (peer: BenchPeer, round: number) => Promise<void>,
): Promise<void> {
  for (let round = 0; round < repeats; round += 1) {
    for (const [turn] of peers.entries()) {
      const peer = peers[(round + turn) % peers.length]!;
      progress(`${label}, ${peer.name}, ${round + 1} of ${repeats}`);
      await measure(peer, round);
    }
  }
}
