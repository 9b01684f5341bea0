/**
 * Runs deliveries, at most `concurrency` at a time, each from claim to outcome. What decides a running
 * delivery is whichever comes first: its handler, the handler's time limit, or the worker's close.
 */
import pLimit, { type LimitFunction } from "p-limit";
import type { QueueTelemetry } from "../../telemetry/queue-telemetry.ts";
import { monotonicNow, startTimer, type Timer } from "../model/clock.ts";
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
  /** Whether its handler runs, and nothing else has come first. */
  isUndecided = false;
  /** Ends the handler's time, where that is limited. */
  timer: Timer | undefined;

  constructor(claimed: ClaimedJob, lease: Lease, source: DeliverySource) {
    this.claimed = claimed;
    this.lease = lease;
    this.source = source;
  }
}

export class Executor implements Part {
  readonly #options: ExecutorOptions;
  /** Undefined where nothing is claimed ahead: no more is accepted then than may run at a time. */
  readonly #limit: LimitFunction | undefined;
  readonly #deliveries = new Set<Delivery>();
  /** Those that are about to start. */
  readonly #accepted: Delivery[] = [];
  #unended = 0;
  #isStopped = false;
  #onIdle: (() => void)[] = [];

  constructor(options: ExecutorOptions) {
    this.#options = options;
    const { concurrency, prefetch } = options.worker;
    this.#limit = prefetch > 0 ? pLimit(concurrency) : undefined;
  }

  start(): void {
    // Deliveries run as they are accepted.
  }

  /** Deliveries that hold a slot or wait for one. */
  get held(): number {
    return this.#deliveries.size;
  }

  /** Deliveries whose end is not told yet. */
  get unended(): number {
    return this.#unended;
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
    this.#unended += 1;
    source.keeper.add(lease);
    // More than there are slots come where the answer of a claim was lost and others took its slots.
    if (this.#isStopped || this.free < 0) {
      this.#finish(delivery, RELEASE);
      return;
    }
    // After the current round of promise callbacks: in that the next claim goes out, and Redis works on it.
    if (this.#accepted.push(delivery) === 1) {
      process.nextTick(() => this.#startAccepted());
    }
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
      if (delivery.isUndecided) {
        this.#decide(delivery, RELEASE);
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

  #startAccepted(): void {
    for (const delivery of this.#accepted.splice(0)) {
      void (this.#limit ? this.#limit(this.#run, delivery) : this.#run(delivery));
    }
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
    return this.#supervise(delivery, delivery.job);
  }

  /** Resolves when it is decided what becomes of the delivery: by whatever comes first. */
  #supervise(delivery: Delivery, job: Job<unknown>): Promise<void> {
    const { backoff, handlerTimeoutMs } = this.#options.worker;
    const fail = (error: unknown) => {
      const outcome = outcomeOfFailure(error, job.attempt, job.maxAttempts, backoff);
      this.#decide(delivery, outcome, error);
    };
    delivery.isUndecided = true;
    const timedOut =
      handlerTimeoutMs === undefined ? undefined : limitTime(delivery, handlerTimeoutMs, fail);
    const ended = this.#invoke(job, delivery.lease).then(() => this.#decide(delivery, ACK), fail);
    return timedOut ? Promise.race([ended, timedOut]) : ended;
  }

  #decide(delivery: Delivery, outcome: Outcome, error?: unknown): void {
    if (delivery.isUndecided) {
      delivery.isUndecided = false;
      delivery.timer?.cancel();
      this.#finish(delivery, outcome, error);
    }
  }

  /** A handler that throws at once, or answers with no promise, ends like any other. */
  #invoke(job: Job<unknown>, lease: Lease): Promise<unknown> {
    const handler = this.#options.handler as Handler<unknown>;
    const context = new SignalContext(lease);
    try {
      const running = lease.telemetry
        ? lease.telemetry.run(() => handler(job, context))
        : handler(job, context);
      return Promise.resolve(running);
    } catch (error) {
      return rejection(error);
    }
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
      this.#unended -= 1;
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

/** Resolves when the handler has had its time, and fails the delivery then. */
function limitTime(
  delivery: Delivery,
  limitMs: number,
  fail: (error: unknown) => void,
): Promise<void> {
  return new Promise((resolve) => {
    delivery.timer = startTimer(limitMs, () => {
      const error = new HandlerTimeoutError(`the handler ran longer than ${limitMs} ms`);
      delivery.lease.abort(error);
      fail(error);
      resolve();
    });
  });
}

async function rejection(error: unknown): Promise<never> {
  throw error;
}
