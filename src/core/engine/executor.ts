/**
 * Runs deliveries, at most `concurrency` at a time, each from claim to outcome. What decides a running
 * delivery is whichever comes first: its handler, the handler's time limit, or the worker's close.
 */
import pLimit, { type LimitFunction } from "p-limit";
import { traceProcess } from "../../telemetry/spans.ts";
import { monotonicNow, startTimer } from "../model/clock.ts";
import { HandlerTimeoutError, WorkerClosingError } from "../model/errors.ts";
import type { Handler, HandlerContext, Job } from "../model/job.ts";
import { ACK, type Outcome, outcomeOfFailure, RELEASE } from "../model/outcome.ts";
import type { ResolvedWorkerOptions } from "../model/worker-options.ts";
import type { ClaimedJob } from "../store/messages.ts";
import { DeliveredJob, openDelivery, type PayloadRules } from "./delivery.ts";
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
  readonly queueName: string;
  readonly rules: PayloadRules;
  readonly worker: ResolvedWorkerOptions;
  readonly handler: Handler<never>;
  readonly settler: Settler;
  readonly keeper: LeaseKeeper;
  readonly onSlotFree: () => void;
  readonly onEnd: (end: DeliveryEnd) => void;
}

interface Delivery {
  readonly claimed: ClaimedJob;
  readonly lease: Lease;
  /** Set while its handler runs. */
  decide?: (outcome: Outcome, error?: unknown) => void;
  job?: Job<unknown>;
  isStarted?: boolean;
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
  accept(claimed: ClaimedJob, token: number, sentAt: number): void {
    const { keeper, worker } = this.#options;
    const lease = new Lease(claimed.id, token, sentAt, worker.visibilityTimeoutMs);
    const delivery: Delivery = { claimed, lease };
    this.#deliveries.add(delivery);
    keeper.add(lease);
    if (this.#isStopped) {
      this.#finish(delivery, RELEASE, monotonicNow());
      return;
    }
    void this.#limit(() => this.#run(delivery));
  }

  /** Gives back what has not started, and starts nothing more. Handlers that run go on. */
  stop(): void {
    this.#isStopped = true;
    for (const delivery of this.#deliveries) {
      if (!delivery.isStarted) {
        this.#finish(delivery, RELEASE, monotonicNow());
      }
    }
  }

  /** Aborts the handlers that still run and gives their jobs back. */
  releaseRunning(): void {
    const reason = new WorkerClosingError("the worker closes and its time for running handlers is up");
    for (const { lease, decide } of this.#deliveries) {
      lease.abort(reason);
      decide?.(RELEASE);
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

  async #run(delivery: Delivery): Promise<void> {
    if (!this.#deliveries.has(delivery)) {
      return; // given back while it waited
    }
    delivery.isStarted = true;
    const startedAt = monotonicNow();
    const { rules, worker, keeper } = this.#options;
    const { claimed, lease } = delivery;
    const opened = await openDelivery(claimed, rules, worker.maxAttempts);
    if ("kind" in opened) {
      this.#finish(delivery, opened, startedAt);
      return;
    }
    const extend = async () => {
      await keeper.extend([lease]);
      if (lease.lost) throw lease.lost;
    };
    const job = new DeliveredJob({ ...opened, claimed, lease, maxAttempts: worker.maxAttempts, extend });
    delivery.job = job;
    const [outcome, error] = await this.#decide(delivery, job);
    this.#finish(delivery, outcome, startedAt, error);
  }

  /** The first outcome that anything proposes; later ones count for nothing. */
  #decide(delivery: Delivery, job: Job<unknown>): Promise<[Outcome, unknown]> {
    const { worker, handler, queueName } = this.#options;
    const { lease } = delivery;
    return new Promise((resolve) => {
      const timer =
        worker.handlerTimeoutMs === undefined
          ? undefined
          : startTimer(worker.handlerTimeoutMs, () => {
              const message = `the handler ran longer than ${worker.handlerTimeoutMs} ms`;
              const error = new HandlerTimeoutError(message);
              lease.abort(error);
              fail(error);
            });
      const decide = (outcome: Outcome, error?: unknown) => {
        timer?.cancel();
        resolve([outcome, error]);
      };
      const fail = (error: unknown) =>
        decide(outcomeOfFailure(error, job.attempt, job.maxAttempts, worker.backoff), error);
      const context: HandlerContext = {
        get signal() {
          return lease.signal;
        },
      };
      delivery.decide = decide;
      const run = async () => traceProcess(queueName, job, () => (handler as Handler<unknown>)(job, context));
      run().then(() => decide(ACK), fail);
    });
  }

  /** Frees the slot at once, and sends the outcome unless the lease is lost. */
  #finish(delivery: Delivery, outcome: Outcome, startedAt: number, error?: unknown): void {
    const { keeper, settler, onSlotFree } = this.#options;
    const durationMs = monotonicNow() - startedAt;
    keeper.remove(delivery.lease);
    this.#deliveries.delete(delivery);
    if (delivery.lease.lost) {
      this.#report(delivery, outcome, "lost", durationMs, delivery.lease.lost);
    } else {
      void settler
        .settle(delivery.lease, outcome)
        .then((settlement) => this.#report(delivery, outcome, settlement, durationMs, error));
    }
    onSlotFree();
    if (this.#deliveries.size === 0) {
      for (const resolve of this.#onIdle.splice(0)) resolve();
    }
  }

  #report(
    { claimed, lease, job }: Delivery,
    outcome: Outcome,
    settlement: Settlement,
    durationMs: number,
    error: unknown,
  ): void {
    const { id } = claimed;
    this.#options.onEnd({ id, fencingToken: lease.token, job, outcome, settlement, durationMs, error });
    this.#options.onSlotFree();
  }
}
