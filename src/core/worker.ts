/** A worker: wires the parts of the engine, starts and stops them. */
import { captureRejectionSymbol, EventEmitter } from "node:events";
import { Claimer } from "./engine/claimer.ts";
import { ClockWatch } from "./engine/clock-watch.ts";
import { type DeliveryEnd, Executor } from "./engine/executor.ts";
import { LeaseKeeper } from "./engine/lease-keeper.ts";
import type { QueueCore } from "./engine/queue-core.ts";
import { Reaper } from "./engine/reaper.ts";
import { Settler } from "./engine/settler.ts";
import { Waker } from "./engine/waker.ts";
import { checkDuration, checkFunction, checkOptionNames } from "./model/checks.ts";
import { monotonicNow, settlesWithin } from "./model/clock.ts";
import { ClosedError, HoldfastError, UnexpectedError } from "./model/errors.ts";
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
import type { ClaimReply } from "./store/messages.ts";
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
  readonly #settler: Settler;
  readonly #keeper: LeaseKeeper;
  readonly #executor: Executor;
  readonly #waker: Waker;
  readonly #claimer: Claimer;
  readonly #reaper: Reaper;
  readonly #clockWatch = new ClockWatch();
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
    const { store, options: queueOptions, subscriber } = this.#core;
    const { visibilityTimeoutMs, backoff } = this.#options;

    this.#settler = new Settler(store, onError);
    this.#keeper = new LeaseKeeper({
      store,
      visibilityTimeoutMs,
      onError,
    });
    this.#executor = new Executor({
      queueName: queueOptions.name,
      rules: queueOptions,
      worker: this.#options,
      handler: handler,
      settler: this.#settler,
      keeper: this.#keeper,
      onSlotFree: () => this.#claimer.slotFreed(),
      onEnd: (end) => this.#onDeliveryEnd(end),
    });
    this.#waker = new Waker({
      subscriber,
      channel: store.wakeChannel + this.id,
      onWake: () => this.#claimer.wake(),
      onError,
    });
    this.#claimer = new Claimer({
      store,
      workerId: this.id,
      worker: this.#options,
      capacity: () => this.#capacity(),
      accept: (job, token, sentAt) => this.#executor.accept(job, token, sentAt),
      onLook: (reply) => this.#onLook(reply),
      onError,
    });
    this.#reaper = new Reaper({
      store,
      visibilityTimeoutMs,
      backoff,
      onExpired: (ids) => this.#reporter.report("stalled", { ids }),
      onError,
    });
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
    this.#starting ??= this.#start().catch((error: unknown) => {
      this.#starting = undefined;
      throw error;
    });
    return this.#starting;
  }

  /** Whether the worker does its work, told from this process's own clock, without a call to Redis. */
  health(): WorkerHealth {
    const { lastLookAt, unlookedMs } = this.#claimer;
    const isRunning = this.#state === "running";
    const isDeaf = unlookedMs > this.#options.pollIntervalMs + LOOK_LATENESS_ALLOWED_MS;
    const deaf = `no look for due jobs was completed for ${Math.round(unlookedMs)} ms`;
    return {
      healthy: isRunning && !isDeaf,
      reason: isRunning ? (isDeaf ? deaf : undefined) : `the worker is ${this.#state}`,
      running: this.#executor.held,
      unsettled: this.#settler.unsettled,
      lastLookAgeMs: lastLookAt === undefined ? undefined : monotonicNow() - lastLookAt,
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
      await this.#core.store.open();
    } catch (error) {
      if (!(error instanceof HoldfastError && error.retryable)) {
        throw error;
      }
      this.#reportError(error);
    }
    // Heard before the first look, so that the first wake-up finds a receiver.
    await this.#waker.start();
    if (this.#state !== "new") {
      return; // closed meanwhile
    }
    this.#state = "running";
    this.#reaper.start();
    this.#claimer.start();
  }

  async #close(timeoutMs: number): Promise<CloseSummary> {
    this.#state = "closing";
    // First of all no more wake-ups and no more starts; a claim on the wire may still bring jobs, which
    // the executor then gives back at once.
    this.#waker.stop();
    this.#executor.stop();
    // The watch is handed over before the handlers end: others must not wait for them.
    const hasLeft = this.#claimer.stop().then(() => this.#leave());
    await settlesWithin(Promise.all([hasLeft, this.#executor.idle()]), timeoutMs);
    this.#executor.releaseRunning();

    const flushEndsAt = monotonicNow() + CLOSE_FLUSH_MS;
    await settlesWithin(
      Promise.all([hasLeft, this.#executor.idle(), this.#settler.idle()]),
      CLOSE_FLUSH_MS,
    );
    const abandoned = this.#closed.abandoned + this.#settler.unsettled;
    const { finished, released } = this.#closed;
    this.#keeper.stop();
    await settlesWithin(
      Promise.all([this.#settler.stop(), this.#reaper.stop()]),
      flushEndsAt - monotonicNow(),
    );
    this.#state = "closed";
    return { finished, released, abandoned };
  }

  /** Takes this worker's name out of Redis. Where that fails, the name goes stale by itself. */
  async #leave(): Promise<void> {
    if (this.#starting) {
      await this.#core.store.leave(this.id).catch((error: unknown) => this.#reportError(error));
    }
  }

  /** Free slots, but none while too many outcomes wait for Redis: memory is bounded. */
  #capacity(): number {
    const isBacklogged = this.#settler.unsettled >= this.#options.concurrency + MAX_UNSETTLED_JOBS;
    return isBacklogged ? 0 : this.#executor.free;
  }

  #onLook(reply: ClaimReply): void {
    this.#reaper.noteLeaseEnd(reply.leaseEndsInMs);
    const jump = this.#clockWatch.note(reply.clock);
    if (jump) this.#reportError(jump);
    this.#hasWorked ||= reply.jobs.length > 0;
    if (this.#hasWorked && reply.jobs.length === 0 && this.#executor.held === 0) {
      this.#hasWorked = false;
      this.#reporter.report("drained");
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
