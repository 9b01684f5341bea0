/** What a worker's calls answer. */

export interface WorkerHealth {
  /**
   * False once the worker has free slots and has not completed a look for due jobs in time, whether or
   * not it knows why; and before `start` and after `close`. Fit for a liveness probe.
   */
  readonly healthy: boolean;
  /** Why it is not healthy, in words. */
  readonly reason: string | undefined;
  /** Deliveries in hand, waiting ones included. */
  readonly running: number;
  /** Outcomes that Redis has not confirmed yet. */
  readonly unsettled: number;
  /** Milliseconds since the last completed look; undefined before the first. */
  readonly lastLookAgeMs: number | undefined;
}

/** What became of the jobs that a worker had in hand when it was closed. */
export interface CloseSummary {
  /** Settled by their handlers' own outcome. */
  readonly finished: number;
  /** Given back uncounted, to run elsewhere at once. */
  readonly released: number;
  /** Neither: Redis gave no answer in time. They run elsewhere when their leases end. */
  readonly abandoned: number;
}
