/** Calls of scripts as plain values: by the script's name, with its arguments and list items by name. */

export interface LeaseKey {
  readonly id: string;
  readonly token: number;
}

export interface NewJob {
  readonly id: string;
  readonly envelope: string;
  /** `+<ms>` from now, or `<ms>` since 1970. */
  readonly due: string;
}

export interface Nack extends LeaseKey {
  readonly delayMs: number;
  readonly counts: 0 | 1;
  readonly error: string;
}

export interface Burial extends LeaseKey {
  readonly counts: 0 | 1;
  readonly reason: string;
}

export interface ClaimArguments {
  readonly workerId: string;
  readonly request: number;
  readonly maxJobs: number;
  readonly maxBytes: number;
  readonly visibilityTimeoutMs: number;
  readonly pollIntervalMs: number;
  readonly comesBack: 0 | 1;
}

export interface DeadPage {
  readonly maxJobs: number;
  readonly afterId: string;
  readonly afterMs: number;
  readonly untilMs: number;
}

type JobId = { readonly id: string };

export type Call =
  | { readonly script: "enqueue"; readonly items: readonly NewJob[] }
  | { readonly script: "claim"; readonly args: ClaimArguments }
  | { readonly script: "ack"; readonly items: readonly LeaseKey[] }
  | { readonly script: "nack"; readonly items: readonly Nack[] }
  | { readonly script: "bury"; readonly items: readonly Burial[] }
  | {
      readonly script: "extend";
      readonly args: { readonly visibilityTimeoutMs: number };
      readonly items: readonly LeaseKey[];
    }
  | {
      readonly script: "reap";
      readonly args: { readonly maxJobs: number };
      readonly items: readonly { readonly delayMs: number }[];
    }
  | { readonly script: "redrive" | "purge"; readonly items: readonly JobId[] }
  | { readonly script: "cancel"; readonly args: JobId }
  | { readonly script: "reschedule"; readonly args: JobId & { readonly dueText: string } }
  | { readonly script: "leave"; readonly args: { readonly workerId: string } }
  | { readonly script: "pause" | "resume" | "open" | "stats" }
  | {
      readonly script: "peek";
      readonly args: { readonly maxBytes: number };
      readonly items: readonly JobId[];
    }
  | { readonly script: "listDead"; readonly args: DeadPage };

/** What every script answers: integers, strings and flat arrays. */
export type Reply = number | string | (number | string)[];
