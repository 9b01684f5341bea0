/** What a run of the bench has measured: the shape of the files in `bench/results`. */

/** The samples of one thing that was measured, of one peer. */
export interface Figure {
  /** The load, for instance "concurrency 100". Rows of the same name are compared with each other. */
  readonly row: string;
  /** What was measured, for instance "jobs a second". */
  readonly metric: string;
  readonly unit: string;
  readonly peer: string;
  /** One for each repeat, in order: sample n of one peer was taken beside sample n of the others. */
  readonly samples: readonly number[];
  readonly note?: string | undefined;
}

/** What a figure of holdfast must reach: by itself, or as a multiple of another figure of the same metric. */
export interface Target {
  readonly row: string;
  readonly metric: string;
  readonly against?: { readonly peer?: string; readonly row?: string; readonly metric?: string };
  readonly atLeast?: number;
  readonly atMost?: number;
}

export interface JudgedTarget extends Target {
  readonly text: string;
  /** The figure, or how many times the other it is, pair by pair of the repeats. */
  readonly samples: readonly number[];
  readonly median: number;
  readonly isMet: boolean;
}

export interface ScenarioResult {
  readonly name: string;
  readonly description: string;
  readonly figures: readonly Figure[];
  readonly targets: readonly JudgedTarget[];
  /** How long it took to measure. */
  readonly seconds?: number;
  readonly error?: string | undefined;
}

export type MachineFacts = Readonly<Record<string, string | number>>;

export interface BenchResult {
  readonly date: string;
  readonly isQuick: boolean;
  readonly repeats: number;
  readonly peers: readonly string[];
  readonly machine: MachineFacts;
  readonly scenarios: readonly ScenarioResult[];
}
