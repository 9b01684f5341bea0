/** A worker: wires the parts of the engine, starts and stops them. */
import { captureRejectionSymbol, EventEmitter } from "node:events";
import { detached } from "../telemetry/contexts.ts";
import { type DeliveryEnd, Executor } from "./engine/executor.ts";
import type { QueueCore } from "./engine/queue-core.ts";
import { ShardWorker } from "./engine/shard-worker.ts";
import { Slots } from "./engine/slots.ts";
import { checkDuration, checkFunction, checkOptionNames } from "./model/checks.ts";
import { monotonicNow, settlesWithin } from "./model/clock.ts";
import {
  ClosedError,
  type ClockJumpError,
  HoldfastError,
  UnexpectedError,
} from "./model/errors.ts";
import { newWorkerId } from "./model/ids.ts";
import type { Handler, Job } from "./model/job.ts";
import { CLOSE_FLUSH_MS, LOOK_LATENESS_ALLOWED_MS, MAX_UNSETTLED_JOBS } from "./model/limits.ts";
import { guardBackoff } from "./model/outcome.ts";
import {
  type ResolvedWorkerOptions,
  resolveWorkerOptions,
  type WorkerOptions,
} from "./model/worker-options.ts";
import { coreOf, type QueueOf } from "./queue.ts";
import { Reporter, type WorkerEventMap } from "./worker-events.ts";
import type { CloseSummary, WorkerHealth } from "./worker-results.ts";

type WorkerState = "new" | "running" | "closing" | "closed";

/**
 * Runs a handler on the due jobs of a queue.
 *
 * A handler that returns acknowledges its job. One that throws fails the attempt: the job runs again
 * after the backoff, until `maxAttempts`, and is then buried with its error. `throw new DeadLetter(reason)`
 * buries at once; `throw new RetryLater({ delayMs })` gives back without counting.
 *
 * Events are listed at `WorkerEventMap`. A listener that throws cannot stop the worker.
 */
export class Worker<T = unknown>
  extends EventEmitter<WorkerEventMap<T>>
  implements AsyncDisposable
{
  /** This worker's name in Redis. */
  readonly id: string = newWorkerId();
  readonly #core: QueueCore;
  readonly #options: ResolvedWorkerOptions;
  readonly #reporter = new Reporter<T>(this);
  readonly #executor: Executor;
  readonly #shards: readonly ShardWorker[];
  #lastJump: { readonly shard: number; readonly jumpMs: number; readonly at: number } | undefined;
  #state: WorkerState = "new";
  #starting: Promise<void> | undefined;
  #closing: Promise<CloseSummary> | undefined;
  #hasWorked = false;
  readonly #closed = { finished: 0, released: 0, abandoned: 0 };

  /** @throws InvalidOptionError naming the option, its value and what is allowed */
  constructor(queue: QueueOf<T>, handler: Handler<T>, options: WorkerOptions = {}) {
    super({ captureRejections: true });
    this.#core = coreOf(queue);
    const resolved = resolveWorkerOptions(options);
    checkFunction("handler", handler);
    const onError = (error: unknown) => this.#reportError(error);
    this.#options = { ...resolved, backoff: guardBackoff(resolved.backoff, onError) };
    const { shards, options: rules, subscriber, telemetry } = this.#core;
    const slots = new Slots(() => this.#countFree(), shards.length);
    this.#executor = new Executor({
      telemetry,
      workerId: this.id,
      rules,
      worker: this.#options,
      handler: handler,
      onSlotFree: () => slots.offer(),
      onEnd: (end) => this.#onDeliveryEnd(end),
    });
    this.#shards = shards.map(
      ({ store }, index) =>
        new ShardWorker({
          store,
          telemetry,
          workerId: this.id,
          worker: this.#options,
          executor: this.#executor,
          slots,
          subscriber,
          onQuiet: () => this.#reportIfDrained(),
          onClockJump: (jump) => this.#onClockJump(index, jump),
          onExpired: (ids) => this.#reporter.report("stalled", { ids }),
          onError,
        }),
    );
  }

  /**
   * Starts claiming. Resolves when the first look is under way; a Redis that cannot be reached does not
   * keep it from starting, for the worker goes on trying.
   *
   * @throws UnsafeRedisError, IncompatibleDataError, RedisRefusedError: the worker does not start
   * @throws ClosedError after `close`
   */
  start(): Promise<void> {
    if (this.#state === "closing" || this.#state === "closed") {
      return Promise.reject(new ClosedError("this worker is closed: create a new Worker"));
    }
    this.#starting ??= detached(() => this.#start()).catch((error: unknown) => {
      this.#starting = undefined;
      throw error;
    });
    return this.#starting;
  }

  /** Whether the worker does its work, told from this process's own clock, without a call to Redis. */
  health(): WorkerHealth {
    const claimers = this.#shards.map(({ claimer }) => claimer);
    const unlookedMs = Math.max(...claimers.map((claimer) => claimer.unlookedMs));
    const lastLooks = claimers.map(({ lastLookAt }) => lastLookAt);
    const isRunning = this.#state === "running";
    const isDeaf = unlookedMs > this.#options.pollIntervalMs + LOOK_LATENESS_ALLOWED_MS;
    const deaf = `no look for due jobs was completed for ${Math.round(unlookedMs)} ms`;
    return {
      healthy: isRunning && !isDeaf,
      reason: isRunning ? (isDeaf ? deaf : undefined) : `the worker is ${this.#state}`,
      running: this.#executor.held,
      unsettled: this.#countUnsettled(),
      lastLookAgeMs: lastLooks.includes(undefined)
        ? undefined
        : monotonicNow() - Math.min(...(lastLooks as number[])),
    };
  }

  /**
   * Stops claiming, gives back jobs that have not started, lets handlers finish until `timeoutMs`, then
   * aborts their signals and gives their jobs back too. Always settles, at most about 2 s after
   * `timeoutMs`, also when Redis cannot be reached. Closes nothing but what the worker opened. Within a handler, do
   * not await it: it waits for that very handler.
   *
   * @param options `timeoutMs`: milliseconds that running handlers are given. Default 30,000.
   * @throws InvalidOptionError if `timeoutMs` is not a whole number of milliseconds
   */
  async close(options: { readonly timeoutMs?: number } = {}): Promise<CloseSummary> {
    checkOptionNames("options", options, ["timeoutMs"]);
    const timeoutMs = checkDuration("timeoutMs", options.timeoutMs ?? 30_000);
    this.#closing ??= this.#close(timeoutMs);
    return this.#closing;
  }

  /** An async listener that rejects is reported like one that throws. */
  override [captureRejectionSymbol](error: Error, ...[event]: unknown[]): void {
    this.#reporter.reportListener(String(event), error);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #start(): Promise<void> {
    this.#core.ensureOpen();
    try {
      await Promise.all(this.#core.shards.map(({ store }) => store.open()));
    } catch (error) {
      if (!(error instanceof HoldfastError && error.retryable)) {
        throw error;
      }
      this.#reportError(error);
    }
    // Heard before the first look, so that the first wake-up finds a receiver.
    await Promise.all(this.#shards.map(({ waker }) => waker.start()));
    if (this.#state !== "new") {
      return; // closed meanwhile
    }
    this.#state = "running";
    for (const shard of this.#shards) shard.start();
  }

  async #close(timeoutMs: number): Promise<CloseSummary> {
    this.#state = "closing";
    // First of all no more wake-ups and no more starts; a claim on the wire may still bring jobs, which
    // the executor then gives back at once.
    for (const { waker } of this.#shards) waker.stop();
    this.#executor.stop();
    // The watch is handed over before the handlers end: others must not wait for them.
    const hasLeft = this.#starting
      ? Promise.all(this.#shards.map((shard) => shard.leave()))
      : undefined;
    await settlesWithin(Promise.all([hasLeft, this.#executor.idle()]), timeoutMs);
    this.#executor.releaseRunning();

    const flushEndsAt = monotonicNow() + CLOSE_FLUSH_MS;
    await settlesWithin(
      Promise.all([
        hasLeft,
        this.#executor.idle(),
        ...this.#shards.map(({ settler }) => settler.idle()),
      ]),
      CLOSE_FLUSH_MS,
    );
    const abandoned = this.#closed.abandoned + this.#countUnsettled();
    const { finished, released } = this.#closed;
    await settlesWithin(
      Promise.all(this.#shards.map((shard) => shard.stop())),
      flushEndsAt - monotonicNow(),
    );
    this.#state = "closed";
    return { finished, released, abandoned };
  }

  /** Outcomes of all shards that wait for their answer. */
  #countUnsettled(): number {
    return this.#shards.reduce((sum, { settler }) => sum + settler.unsettled, 0);
  }

  /** Free slots, but none while too many outcomes wait for Redis: memory is bounded. */
  #countFree(): number {
    const isBacklogged = this.#countUnsettled() >= this.#options.concurrency + MAX_UNSETTLED_JOBS;
    return isBacklogged ? 0 : this.#executor.free;
  }

  /** Shards of one node notice the same jump, each at its next look. */
  #onClockJump(shard: number, jump: ClockJumpError): void {
    const last = this.#lastJump;
    const now = monotonicNow();
    const isOfOneRound =
      last && now - last.at < this.#options.pollIntervalMs + LOOK_LATENESS_ALLOWED_MS;
    const isTold =
      isOfOneRound && last.shard !== shard && Math.abs(last.jumpMs - jump.jumpMs) < 1_000;
    if (!isTold) {
      this.#lastJump = { shard, jumpMs: jump.jumpMs, at: now };
      this.#reportError(jump);
    }
  }

  #onDeliveryEnd({
    id,
    job: anyJob,
    outcome,
    settlement,
    durationMs,
    error,
    fencingToken,
  }: DeliveryEnd): void {
    const job = anyJob as Job<T> | undefined;
    if (this.#state === "closing") {
      this.#count(outcome.kind === "retry" && !outcome.counts, settlement);
    }
    if (settlement === "lost") {
      this.#reporter.report("lease-lost", { id, fencingToken });
    } else if (settlement === "settled") {
      if (outcome.kind === "ack" && job) {
        this.#reporter.report("completed", { job, durationMs });
      } else if (outcome.kind === "retry" && job) {
        const { delayMs, counts } = outcome;
        this.#reporter.report("retried", { job, error, delayMs, counted: counts });
      } else if (outcome.kind === "bury") {
        this.#reporter.report("dead", { id, job, reason: outcome.reason, error });
      }
    }
    this.#hasWorked = true;
    this.#reportIfDrained();
  }

  #reportIfDrained(): void {
    const isIdle = this.#executor.unended === 0 && this.#shards.every(({ isQuiet }) => isQuiet);
    if (isIdle && this.#hasWorked) {
      this.#hasWorked = false;
      this.#reporter.report("drained");
    }
  }

  #count(isRelease: boolean, settlement: DeliveryEnd["settlement"]): void {
    if (settlement !== "settled") {
      this.#closed.abandoned += 1;
    } else if (isRelease) {
      this.#closed.released += 1;
    } else {
      this.#closed.finished += 1;
    }
  }

  #reportError(error: unknown): void {
    if (error instanceof ClosedError || this.#state === "closed") {
      return; // a call that close overtook
    }
    this.#reporter.report(
      "error",
      error instanceof HoldfastError
        ? error
        : new UnexpectedError(`unexpected failure: ${String(error)}`, { cause: error }),
    );
  }
}
