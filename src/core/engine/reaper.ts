/**
 * Gives expired leases back. Looks when the earliest known lease ends, and in any case within one
 * visibility timeout of the last look: a lease taken since cannot have ended sooner.
 */
import { untraced } from "../../telemetry/contexts.ts";
import { monotonicNow, startTimer, type Timer } from "../model/clock.ts";
import type { Backoff } from "../model/backoff.ts";
import { LeaseLostError } from "../model/errors.ts";
import { REAP_BACKOFF_STEPS, REAP_JITTER_MS } from "../model/limits.ts";
import type { JobStore } from "../store/job-store.ts";
import type { Part } from "./part.ts";
import { retryPauseMs } from "./retry-pause.ts";

export interface ReaperOptions {
  readonly store: JobStore;
  readonly visibilityTimeoutMs: number;
  readonly backoff: Backoff;
  /** Called with the ids of jobs whose leases had expired. */
  readonly onExpired: (ids: readonly string[]) => void;
  readonly onError: (error: unknown) => void;
}

export class Reaper implements Part {
  readonly #options: ReaperOptions;
  /** Workers that know of the same lease should not all come at once. */
  readonly #jitterMs = Math.random() * REAP_JITTER_MS;
  #dueAt = Number.POSITIVE_INFINITY;
  #timer: Timer | undefined;
  #timerAt = Number.POSITIVE_INFINITY;
  #failures = 0;
  #reaping: Promise<void> | undefined;
  #isStarted = false;
  #isStopped = false;

  constructor(options: ReaperOptions) {
    this.#options = options;
  }

  start(): void {
    this.#isStarted = true;
    this.noteLeaseEnd(undefined);
  }

  /** Resolves when the call on the wire, if any, is answered or given up. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#timer?.cancel();
    await this.#reaping;
  }

  /** @param leaseEndsInMs until the queue's earliest lease ends, as Redis just said; undefined if there is none */
  noteLeaseEnd(leaseEndsInMs: number | undefined): void {
    const { visibilityTimeoutMs } = this.#options;
    let waitMs = Math.min(
      (leaseEndsInMs ?? visibilityTimeoutMs) + this.#jitterMs,
      visibilityTimeoutMs,
    );
    if (leaseEndsInMs === 0) {
      // Ended already, maybe long ago: hearing so again and again must not put the look off.
      waitMs = Math.min(waitMs, this.#dueAt - monotonicNow());
    }
    this.#schedule(waitMs);
  }

  #schedule(waitMs: number): void {
    if (!this.#isStarted || this.#isStopped || this.#reaping) {
      return;
    }
    this.#dueAt = monotonicNow() + waitMs;
    // A timer that fires too early is set anew then: cheaper than one for every claim.
    if (this.#dueAt < this.#timerAt) {
      this.#timer?.cancel();
      this.#timerAt = this.#dueAt;
      this.#timer = startTimer(waitMs, () => this.#onTimer());
    }
  }

  #onTimer(): void {
    this.#timerAt = Number.POSITIVE_INFINITY;
    const earlyMs = this.#dueAt - monotonicNow();
    if (earlyMs > 1) {
      this.#schedule(earlyMs);
      return;
    }
    this.#reaping = this.#reap().then((waitMs) => {
      this.#reaping = undefined;
      this.#schedule(waitMs);
    });
  }

  /** One bounded batch. Resolves with the time until the next look. */
  async #reap(): Promise<number> {
    const { store, visibilityTimeoutMs, backoff, onExpired, onError } = this.#options;
    try {
      const { ids, leaseEndsInMs } = await untraced(() => store.reap(reapDelaysMs(backoff)));
      this.#failures = 0;
      if (ids.length > 0) {
        onExpired(ids);
      }
      return Math.min(leaseEndsInMs ?? visibilityTimeoutMs, visibilityTimeoutMs);
    } catch (error) {
      this.#failures += 1;
      onError(error);
      return retryPauseMs(this.#failures);
    }
  }
}

/** Waits by counted attempts, for jobs whose leases expire again and again. */
export function reapDelaysMs(backoff: Backoff): number[] {
  const error = new LeaseLostError("the lease expired: its worker stopped extending it");
  return Array.from({ length: REAP_BACKOFF_STEPS }, (_, index) => backoff(index + 1, error));
}
