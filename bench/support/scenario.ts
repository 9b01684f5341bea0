/** What a scenario is, what it is given, and what it answers. */
import type { BenchQueue } from "./bench-queue.ts";
import type { BenchServer } from "./bench-server.ts";

export interface Scenario {
  readonly name: string;
  readonly description: string;
  /** In words; the limits themselves stand with the figures. */
  readonly target?: string;
  /** A scenario that takes longer has failed. */
  readonly timeLimitMs: number;
  run(context: ScenarioContext): Promise<Figure[]>;
}

export interface ScenarioContext {
  readonly isQuick: boolean;
  readonly repeats: number;
  readonly server: BenchServer;
  progress(text: string): void;
  /** Gives a new queue, and ends its processes and removes its keys afterwards. */
  withQueue<Result>(use: (queue: BenchQueue) => Promise<Result>): Promise<Result>;
}

interface FigureFacts {
  readonly metric: string;
  readonly unit: string;
  /** The target, where there is one. */
  readonly atMost?: number | undefined;
  /** An earlier figure to compare with; no target. */
  readonly mark?: string | undefined;
  readonly note?: string | undefined;
}

/** One sample a repeat, or one a call where single calls are timed. */
export interface Figure extends FigureFacts {
  readonly samples: readonly number[];
  /** Each must be within the target. Without them, the median of the samples must. */
  readonly judgedSamples?: readonly number[] | undefined;
}

export interface Measurement extends FigureFacts {
  readonly value: number;
}

/** Measures again and again, and joins what belongs to the same metric. */
export async function repeat(
  context: ScenarioContext,
  measure: (progress: (text: string) => void) => Promise<Measurement[]>,
): Promise<Figure[]> {
  const rounds: Measurement[][] = [];
  for (let round = 1; round <= context.repeats; round += 1) {
    const progress = (text: string) =>
      context.progress(`repeat ${round} of ${context.repeats}${text && `, ${text}`}`);
    progress("");
    rounds.push(await measure(progress));
  }
  return joinRounds(rounds);
}

function joinRounds(rounds: readonly Measurement[][]): Figure[] {
  const figures = new Map<string, Figure>();
  for (const { value, ...facts } of rounds.flat()) {
    const samples = [...(figures.get(facts.metric)?.samples ?? []), value];
    figures.set(facts.metric, { ...facts, samples });
  }
  return [...figures.values()];
}
