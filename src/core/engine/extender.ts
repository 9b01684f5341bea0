/**
 * Extends leases. Each deadline counts from before its call was sent, so that the lease ends here no
 * later than in Redis.
 */
import { untraced } from "../../telemetry/contexts.ts";
import { monotonicNow } from "../model/clock.ts";
import { BATCHES_IN_FLIGHT, SETTLE_BATCH_JOBS } from "../model/limits.ts";
import type { JobStore } from "../store/job-store.ts";
import { Batcher } from "./batcher.ts";
import type { Lease } from "./lease.ts";
import type { Part } from "./part.ts";

interface ExtendCall {
  readonly lease: Lease;
  readonly visibilityTimeoutMs: number;
}

export class Extender implements Part {
  readonly #store: JobStore;
  readonly #calls: Batcher<ExtendCall, boolean>;

  constructor(store: JobStore) {
    this.#store = store;
    this.#calls = new Batcher({
      send: (calls) => this.#send(calls),
      maxItems: SETTLE_BATCH_JOBS,
      maxBatchesInFlight: BATCHES_IN_FLIGHT,
      groupOf: ({ visibilityTimeoutMs }) => String(visibilityTimeoutMs),
    });
  }

  start(): void {
    // Calls are sent on demand.
  }

  /** Refuses further calls; resolves when those made before have been answered. */
  stop(): Promise<void> {
    return this.#calls.stop();
  }

  /**
   * Calls made while earlier ones are on the wire travel together.
   *
   * @returns whether Redis has extended it
   * @throws HoldfastError if Redis gives no answer
   */
  extend(lease: Lease, visibilityTimeoutMs: number): Promise<boolean> {
    return this.#calls.add({ lease, visibilityTimeoutMs });
  }

  /**
   * In one call, at once.
   *
   * @returns which of them Redis has extended
   * @throws HoldfastError if Redis gives no answer
   */
  async extendAll(leases: readonly Lease[], visibilityTimeoutMs: number): Promise<boolean[]> {
    const sentAt = monotonicNow();
    for (const lease of leases) lease.isBeingExtended = true;
    try {
      const extended = await untraced(() => this.#store.extend(leases, visibilityTimeoutMs));
      for (const [index, lease] of leases.entries()) {
        if (extended[index]) lease.renew(sentAt, visibilityTimeoutMs);
      }
      return extended;
    } finally {
      for (const lease of leases) lease.isBeingExtended = false;
    }
  }

  /** A lease that is named twice counts once: the script would refuse its second mention. */
  async #send(calls: readonly ExtendCall[]): Promise<boolean[]> {
    const leases = [...new Set(calls.map(({ lease }) => lease))];
    const extended = await this.extendAll(leases, calls[0]!.visibilityTimeoutMs);
    const held = new Set(leases.filter((_, index) => extended[index]));
    return calls.map(({ lease }) => held.has(lease));
  }
}
