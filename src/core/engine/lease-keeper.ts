/**
 * Keeps the leases of running jobs: extends them together at a third of the visibility timeout, and
 * declares lost those that Redis refuses to extend or whose own deadline has passed.
 */
import { monotonicNow, startTimer, type Timer } from "../model/clock.ts";
import { RETRY_PAUSE_MAX_MS, SETTLE_BATCH_JOBS } from "../model/limits.ts";
import type { JobStore } from "../store/job-store.ts";
import { Extender } from "./extender.ts";
import { type Lease, leaseLost } from "./lease.ts";
import type { Part } from "./part.ts";

export interface LeaseKeeperOptions {
  readonly store: JobStore;
  readonly visibilityTimeoutMs: number;
  readonly onError: (error: unknown) => void;
}

const REFUSED = "its token is no longer in force";

export class LeaseKeeper implements Part {
  readonly #options: LeaseKeeperOptions;
  readonly #extender: Extender;
  readonly #leases = new Set<Lease>();
  #timer: Timer | undefined;
  #isStopped = false;

  constructor(options: LeaseKeeperOptions) {
    this.#options = options;
    this.#extender = new Extender(options.store);
  }

  start(): void {
    // The timer runs only while leases are held.
  }

  /** Resolves when the calls of handlers have been answered. */
  stop(): Promise<void> {
    this.#isStopped = true;
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#leases.clear();
    return this.#extender.stop();
  }

  add(lease: Lease): void {
    this.#leases.add(lease);
    if (!this.#timer && !this.#isStopped) {
      this.#schedule(this.#options.visibilityTimeoutMs / 3);
    }
  }

  remove(lease: Lease): void {
    this.#leases.delete(lease);
  }

  /**
   * At a handler's request, together with those of others.
   *
   * @throws LeaseLostError if Redis refuses, HoldfastError if it gives no answer
   */
  async extendOne(lease: Lease): Promise<void> {
    const isHeld = await this.#extender.extend(lease, this.#options.visibilityTimeoutMs);
    if (!isHeld) this.#lose(lease, REFUSED);
    if (!isHeld || lease.lost) {
      throw lease.lost ?? leaseLost(lease.id, REFUSED);
    }
  }

  /** Refused leases are declared lost. */
  async #extendAll(leases: readonly Lease[]): Promise<void> {
    const { visibilityTimeoutMs } = this.#options;
    const extended = await this.#extender.extendAll(leases, visibilityTimeoutMs);
    for (const [index, lease] of leases.entries()) {
      if (!extended[index]) this.#lose(lease, REFUSED);
    }
  }

  #schedule(delayMs: number): void {
    this.#timer = startTimer(delayMs, () => {
      this.#timer = undefined;
      this.#tick();
    });
  }

  #tick(): void {
    const { visibilityTimeoutMs, onError } = this.#options;
    const now = monotonicNow();
    const due: Lease[] = [];
    let earliestDeadline = Number.POSITIVE_INFINITY;
    for (const lease of this.#leases) {
      if (lease.deadline <= now) {
        this.#lose(lease, "it was not extended in time");
        continue;
      }
      earliestDeadline = Math.min(earliestDeadline, lease.deadline);
      // A little early counts as a third: timers do not fire to the microsecond.
      if (!lease.isBeingExtended && now - lease.renewedAt >= visibilityTimeoutMs / 3 - 5) {
        due.push(lease);
      }
    }
    for (let first = 0; first < due.length; first += SETTLE_BATCH_JOBS) {
      this.#extendAll(due.slice(first, first + SETTLE_BATCH_JOBS)).catch(onError);
    }
    if (this.#leases.size > 0 && !this.#isStopped) {
      this.#schedule(Math.min(earliestDeadline - now, this.#tickMs(due.length > 0)));
    }
  }

  /** While extensions are under way the next tick comes sooner, in case they fail. */
  #tickMs(isExtending: boolean): number {
    const { visibilityTimeoutMs } = this.#options;
    return isExtending
      ? Math.min(visibilityTimeoutMs / 10, RETRY_PAUSE_MAX_MS)
      : visibilityTimeoutMs / 3;
  }

  #lose(lease: Lease, reason: string): void {
    if (this.#leases.delete(lease)) {
      lease.lose(leaseLost(lease.id, reason));
    }
  }
}
