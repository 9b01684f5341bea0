/**
 * Runs deliveries, at most `concurrency` at a time, each from claim to outcome. What decides a running
 * delivery is whichever comes first: its handler, the handler's time limit, or the worker's close.
 */
import pLimit, { type LimitFunction } from "p-limit";
import type { QueueTelemetry } from "../../telemetry/queue-telemetry.ts";
import { monotonicNow, startTimer } from "../model/clock.ts";
import { HandlerTimeoutError, WorkerClosingError } from "../model/errors.ts";
import type { Handler, HandlerContext, Job } from "../model/job.ts";
import { ACK, type Outcome, outcomeOfFailure, RELEASE } from "../model/outcome.ts";
import type { ResolvedWorkerOptions } from "../model/worker-options.ts";
import type { ClaimedJob } from "../store/messages.ts";
import { DeliveredJob, openDelivery, type OpenedDelivery, type PayloadRules } from "./delivery.ts";
import { Lease } from "./lease.ts";
import type { LeaseKeeper } from "./lease-keeper.ts";
import type { Part } from "./part.ts";
import type { Settlement, Settler } from "./settler.ts";

/** What became of a delivery. The job is missing where it could not be decoded. */
export interface DeliveryEnd {
  readonly id: string;
  readonly fencingToken: number;
  readonly job: Job<unknown> | undefined;
  readonly outcome: Outcome;
  readonly settlement: Settlement;
  readonly durationMs: number;
  readonly error: unknown;
}

export interface ExecutorOptions {
  readonly telemetry: QueueTelemetry;
  readonly workerId: string;
  readonly rules: PayloadRules;
  readonly worker: ResolvedWorkerOptions;
  readonly handler: Handler<never>;
  readonly onSlotFree: () => void;
  readonly onEnd: (end: DeliveryEnd) => void;
}

/** Where a delivery came from, and where its outcome goes. */
export interface DeliverySource {
  readonly settler: Settler;
  readonly keeper: LeaseKeeper;
}

class SignalContext implements HandlerContext {
  readonly #lease: Lease;

  constructor(lease: Lease) {
    this.#lease = lease;
  }

  get signal(): AbortSignal {
    return this.#lease.signal;
  }
}

/** One delivery in hand. */
class Delivery {
  readonly claimed: ClaimedJob;
  readonly lease: Lease;
  readonly source: DeliverySource;
  job: Job<unknown> | undefined;
  isStarted = false;
  startedAt = 0;
  /** Set while its handler runs. */
  decide: ((outcome: Outcome, error?: unknown) => void) | undefined;

  constructor(claimed: ClaimedJob, lease: Lease, source: DeliverySource) {
    this.claimed = claimed;
    this.lease = lease;
    this.source = source;
  }
}

export class Executor implements Part {
  readonly #options: ExecutorOptions;
  readonly #limit: LimitFunction;
  readonly #deliveries = new Set<Delivery>();
  #isStopped = false;
  #onIdle: (() => void)[] = [];

  constructor(options: ExecutorOptions) {
    this.#options = options;
    this.#limit = pLimit(options.worker.concurrency);
  }

  start(): void {
    // Deliveries run as they are accepted.
  }

  /** Deliveries that hold a slot or wait for one. */
  get held(): number {
    return this.#deliveries.size;
  }

  /** How many more may be claimed. */
  get free(): number {
    const { concurrency, prefetch } = this.#options.worker;
    return concurrency + prefetch - this.#deliveries.size;
  }

  /** @param sentAt when the claim was sent, on the monotonic clock */
  accept(claimed: ClaimedJob, token: number, sentAt: number, source: DeliverySource): void {
    const lease = new Lease(claimed.id, token, sentAt, this.#options.worker.visibilityTimeoutMs);
    lease.telemetry = this.#options.telemetry.startDelivery(claimed);
    const delivery = new Delivery(claimed, lease, source);
    this.#deliveries.add(delivery);
    source.keeper.add(lease);
    // More than there are slots come where the answer of a claim was lost and others took its slots.
    if (this.#isStopped || this.free < 0) {
      this.#finish(delivery, RELEASE);
      return;
    }
    void this.#limit(this.#run, delivery);
  }

  /** Gives back what has not started, and starts nothing more. Handlers that run go on. */
  stop(): void {
    this.#isStopped = true;
    for (const delivery of this.#deliveries) {
      if (!delivery.isStarted) {
        this.#finish(delivery, RELEASE);
      }
    }
  }

  /** Aborts the handlers that still run and gives their jobs back. */
  releaseRunning(): void {
    const reason = new WorkerClosingError(
      "the worker closes and its time for running handlers is up",
    );
    for (const delivery of this.#deliveries) {
      delivery.lease.abort(reason);
      if (delivery.decide) {
        delivery.decide(RELEASE);
      } else {
        this.#finish(delivery, RELEASE); // its payload is still being validated
      }
    }
  }

  /** Resolves when no delivery is left; their outcomes may still be on the way. */
  idle(): Promise<void> {
    return this.#deliveries.size === 0
      ? Promise.resolve()
      : new Promise((resolve) => {
          this.#onIdle.push(resolve);
        });
  }

  readonly #run = (delivery: Delivery): Promise<void> | void => {
    if (!this.#deliveries.has(delivery)) {
      return; // given back while it waited
    }
    delivery.isStarted = true;
    delivery.startedAt = monotonicNow();
    if (delivery.lease.lost) {
      this.#finish(delivery, RELEASE); // while it waited for its slot
      return;
    }
    const { rules, worker } = this.#options;
    const opened = openDelivery(delivery.claimed, rules, worker.maxAttempts);
    return opened instanceof Promise
      ? opened.then((fields) => this.#handle(delivery, fields))
      : this.#handle(delivery, opened);
  };

  #handle(delivery: Delivery, opened: OpenedDelivery): Promise<void> | void {
    if (!this.#deliveries.has(delivery)) {
      return; // given back while its payload was validated
    }
    if ("kind" in opened || delivery.lease.lost) {
      this.#finish(delivery, "kind" in opened ? opened : RELEASE);
      return;
    }
    const { claimed, lease, source } = delivery;
    const { worker, workerId } = this.#options;
    const extend = () => source.keeper.extendOne(lease);
    const { envelope, data } = opened;
    const { maxAttempts: limit } = worker;
    delivery.job = new DeliveredJob({ claimed, lease, envelope, data, maxAttempts: limit, extend });
    const { maxAttempts } = delivery.job;
    lease.telemetry?.start({ envelope: opened.envelope, workerId, maxAttempts });
    return this.#decide(delivery, delivery.job);
  }

  /** Resolves with the first outcome that anything proposes; later ones count for nothing. */
  #decide(delivery: Delivery, job: Job<unknown>): Promise<void> {
    const { backoff, handlerTimeoutMs } = this.#options.worker;
    return new Promise((resolve) => {
      const decide = (outcome: Outcome, error?: unknown) => {
        if (delivery.decide) {
          delivery.decide = undefined;
          timer?.cancel();
          this.#finish(delivery, outcome, error);
          resolve();
        }
      };
      const fail = (error: unknown) =>
        decide(outcomeOfFailure(error, job.attempt, job.maxAttempts, backoff), error);
      delivery.decide = decide;
      const timer =
        handlerTimeoutMs === undefined
          ? undefined
          : startTimer(handlerTimeoutMs, () => {
              const error = new HandlerTimeoutError(
                `the handler ran longer than ${handlerTimeoutMs} ms`,
              );
              delivery.lease.abort(error);
              fail(error);
            });
      this.#invoke(job, delivery.lease).then(() => decide(ACK), fail);
    });
  }

  /** An async function, so that a handler that throws at once fails like any other. */
  async #invoke(job: Job<unknown>, lease: Lease): Promise<void> {
    const handler = this.#options.handler as Handler<unknown>;
    const context = new SignalContext(lease);
    await (lease.telemetry
      ? lease.telemetry.run(() => handler(job, context))
      : handler(job, context));
  }

  /** Frees the slot at once, and sends the outcome unless the lease is lost. */
  #finish(delivery: Delivery, outcome: Outcome, error?: unknown): void {
    const { onSlotFree } = this.#options;
    const { lease, source } = delivery;
    const durationMs = delivery.isStarted ? monotonicNow() - delivery.startedAt : 0;
    source.keeper.remove(lease);
    this.#deliveries.delete(delivery);
    lease.telemetry?.finish(outcome, error);
    const report = (settlement: Settlement) => {
      const { claimed, job } = delivery;
      const { token: fencingToken } = lease;
      this.#options.onEnd({
        id: claimed.id,
        fencingToken,
        job,
        outcome,
        settlement,
        durationMs,
        error,
      });
      onSlotFree();
    };
    if (lease.lost) {
      report("lost");
    } else {
      void source.settler.settle(lease, outcome).then(report);
      onSlotFree();
    }
    if (this.#deliveries.size === 0) {
      for (const resolve of this.#onIdle.splice(0)) resolve();
    }
  }
}
