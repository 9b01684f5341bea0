/** What a worker reports, and a way to report it that can never harm the worker. */
import type { EventEmitter } from "node:events";
import { monotonicNow } from "./model/clock.ts";
import type { Job } from "./model/job.ts";
import type { HoldfastError } from "./model/errors.ts";
import { describeError } from "./model/errors.ts";

/** Of `completed`. */
export interface CompletedEvent<T> {
  readonly job: Job<T>;
  /** How long its handler ran, in milliseconds. */
  readonly durationMs: number;
}

/** Of `retried`. */
export interface RetriedEvent<T> {
  readonly job: Job<T>;
  /** What the handler threw; a `RetryLater` too. */
  readonly error: unknown;
  /** Until the job is due again, in milliseconds. */
  readonly delayMs: number;
  /** Whether the attempt counted: not for a `RetryLater`, nor for a job given back by `close`. */
  readonly counted: boolean;
}

/** Of `dead`. */
export interface DeadEvent<T> {
  readonly id: string;
  /** Undefined for a job that was never run: it could not be decoded, or its attempts were used up. */
  readonly job: Job<T> | undefined;
  /** As stored with the dead letter; empty where the job's last error stands. */
  readonly reason: string;
  readonly error: unknown;
}

/** Of `lease-lost`. */
export interface LeaseLostEvent {
  readonly id: string;
  readonly fencingToken: number;
}

/** Of `stalled`. */
export interface StalledEvent {
  /** Jobs of any worker whose lease had expired, and which this worker gave back. */
  readonly ids: readonly string[];
}

/** A worker's events, by name, with what their listeners get. */
export interface WorkerEventMap<T> {
  /** A handler returned, and Redis has removed its job. */
  completed: [CompletedEvent<T>];
  /** A job went back, to run again. */
  retried: [RetriedEvent<T>];
  /** A job was buried. */
  dead: [DeadEvent<T>];
  /** A job went to another holder while its handler ran, or before its outcome arrived. */
  "lease-lost": [LeaseLostEvent];
  /** Expired leases were given back. */
  stalled: [StalledEvent];
  /**
   * The worker had work, and has none any more: all its jobs have ended, and nothing more is due, as far
   * as Redis has told it. Of a queue that is paused, nothing is due. Up to `pollIntervalMs` late where a job of
   * this worker went back, to run again later.
   */
  drained: [];
  /**
   * Something failed that the worker goes on from by itself, such as a lost connection. A jump of
   * Redis's clock by more than 5 s is told once, as a `ClockJumpError`.
   */
  error: [HoldfastError];
}

/** Errors without a listener are said once a minute and code, as process warnings. */
const WARNING_INTERVAL_MS = 60_000;

export class Reporter<T> {
  readonly #emitter: EventEmitter;
  readonly #lastWarnings = new Map<string, number>();

  constructor(emitter: EventEmitter<WorkerEventMap<T>>) {
    this.#emitter = emitter;
  }

  /** Calls the listeners. One that throws is reported as a process warning. */
  report<Name extends keyof WorkerEventMap<T>>(
    name: Name,
    ...event: WorkerEventMap<T>[Name]
  ): void {
    if (name === "error" && this.#emitter.listenerCount(name) === 0) {
      this.#warn(event[0] as HoldfastError);
      return;
    }
    try {
      this.#emitter.emit(name, ...event);
    } catch (error) {
      this.reportListener(name, error);
    }
  }

  reportListener(event: string, error: unknown): void {
    const message = `a listener of the event "${event}" threw ${describeError(error, 500)}`;
    process.emitWarning(message, { type: "HoldfastWarning" });
  }

  #warn(error: HoldfastError): void {
    const now = monotonicNow();
    const lastAt = this.#lastWarnings.get(error.code) ?? Number.NEGATIVE_INFINITY;
    if (now - lastAt >= WARNING_INTERVAL_MS) {
      this.#lastWarnings.set(error.code, now);
      const message = `${describeError(error, 500)} (listen to the worker's "error" event to handle it)`;
      process.emitWarning(message, { type: "HoldfastWarning", code: error.code });
    }
  }
}
