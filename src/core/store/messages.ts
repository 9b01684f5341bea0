/** What the engine gives to the store, and what it gets back. */
import type { DeliveryReason } from "../model/delivery-reason.ts";
import type { ResolvedDurability } from "../model/durability.ts";
import type { JobState } from "../model/job.ts";

export interface NewJob {
  readonly id: string;
  readonly envelope: string | Buffer;
  /** `+<ms>` from now, or `<ms>` since 1970. */
  readonly due: string;
  /** Copies to wait for; undefined for none. */
  readonly durability?: ResolvedDurability | undefined;
}

export interface EnqueueReply {
  readonly isCreated: boolean;
  /** Undefined for a duplicate that is no longer delayed. */
  readonly dueAtMs: number | undefined;
}

export interface LeaseKey {
  readonly id: string;
  readonly token: number;
}

/** "done", or why nothing was written: another token is in force, or there is no such job. */
export type SettleResult = "done" | "stale" | "gone";

export interface ClaimedJob {
  readonly id: string;
  readonly envelope: string | Buffer;
  readonly dueAtMs: number;
  /** By Redis's clock, as the due time is. */
  readonly claimedAtMs: number;
  readonly failedAttempts: number;
  readonly deliveryReason: DeliveryReason;
}

/** What Redis's clock said, at some time between two readings of this process's monotonic clock. */
export interface ClockReading {
  readonly nowMs: number;
  readonly askedAt: number;
  readonly answeredAt: number;
}

export interface ClaimReply {
  readonly token: number;
  readonly clock: ClockReading;
  /** When the caller should look again; undefined where it took all it could, or does not wait. */
  readonly lookInMs: number | undefined;
  /** When the earliest lease of the queue ends; undefined if there is none. */
  readonly leaseEndsInMs: number | undefined;
  readonly jobs: readonly ClaimedJob[];
}

export interface ClaimRequest {
  readonly workerId: string;
  readonly request: number;
  readonly maxJobs: number;
  readonly visibilityTimeoutMs: number;
  /** 0: the caller does not wait for more. */
  readonly pollIntervalMs: number;
  /** Whether the caller claims again at once if it gets `maxJobs`. */
  readonly comesBack: boolean;
}

export interface PeekedJob {
  readonly state: JobState | "gone";
  readonly atMs: number;
  readonly envelope: string | Buffer;
  readonly failedAttempts: number;
  readonly lastError: string;
}

/** One page of the audit. Ids and leases are bytes, as Latin-1 text: a spoilt one need not be UTF-8. */
export interface VerifyPage {
  readonly cursor: string;
  readonly entries: number;
  /** How much Redis read for it: scanning `jobs` brings the payloads along. */
  readonly bytes: number;
  /** The token counter: it changes with each claim that takes a job. */
  readonly token: string;
  readonly findings: readonly { readonly kind: string; readonly name: string }[];
}

/** An id to be looked at as a whole, with the tokens of its known leases, by commas. */
export interface Suspect {
  readonly id: string;
  readonly tokens: string;
}
