/** What a worker does on one shard: hears wake-ups, claims, keeps leases, settles and reaps. */
import { untraced } from "../../telemetry/contexts.ts";
import type { QueueTelemetry } from "../../telemetry/queue-telemetry.ts";
import { monotonicNow } from "../model/clock.ts";
import type { ClockJumpError } from "../model/errors.ts";
import type { ResolvedWorkerOptions } from "../model/worker-options.ts";
import type { ClaimReply } from "../store/messages.ts";
import type { JobStore } from "../store/job-store.ts";
import type { Subscriber } from "../store/subscriber.ts";
import { Claimer } from "./claimer.ts";
import { ClockWatch } from "./clock-watch.ts";
import type { Executor } from "./executor.ts";
import { LeaseKeeper } from "./lease-keeper.ts";
import type { Part } from "./part.ts";
import { Reaper } from "./reaper.ts";
import { Settler } from "./settler.ts";
import type { Slots } from "./slots.ts";
import { ranLater, type TimedCall } from "./timed-call.ts";
import { Waker } from "./waker.ts";

export interface ShardWorkerOptions {
  readonly store: JobStore;
  readonly telemetry: QueueTelemetry;
  readonly workerId: string;
  readonly worker: ResolvedWorkerOptions;
  readonly executor: Executor;
  readonly slots: Slots;
  /** Opens the subscriber; undefined where the queue works without wake-ups. */
  readonly subscriber: (() => Subscriber) | undefined;
  /** Called when nothing more was due, and its claims begin to wait until that changes. */
  readonly onQuiet: () => void;
  /** Called when the clock of the shard's Redis has jumped. */
  readonly onClockJump: (jump: ClockJumpError) => void;
  /** Called with the ids of jobs whose leases had expired. */
  readonly onExpired: (ids: readonly string[]) => void;
  readonly onError: (error: unknown) => void;
}

export class ShardWorker implements Part {
  readonly settler: Settler;
  readonly keeper: LeaseKeeper;
  readonly waker: Waker;
  readonly claimer: Claimer;
  readonly reaper: Reaper;
  readonly #options: ShardWorkerOptions;
  readonly #clockWatch = new ClockWatch();
  /** The last that gave jobs back. */
  #lastReap: TimedCall | undefined;

  constructor(options: ShardWorkerOptions) {
    const { store, workerId, worker, executor, slots, subscriber, onExpired, onError } = options;
    const { visibilityTimeoutMs, backoff } = worker;
    this.#options = options;
    this.settler = new Settler(store, onError);
    this.keeper = new LeaseKeeper({ store, visibilityTimeoutMs, onError });
    this.waker = new Waker({
      subscriber,
      channel: store.wakeChannel + workerId,
      onWake: () => this.claimer.wake(),
      onError,
    });
    this.claimer = new Claimer({
      store,
      workerId,
      worker,
      slots,
      accept: (job, token, sentAt) => executor.accept(job, token, sentAt, this),
      onQuiet: options.onQuiet,
      onLook: (reply) => this.#onLook(reply),
      onFailure: (error, durationMs) => {
        options.telemetry.noteFailedClaim(error, durationMs);
        onError(error);
      },
    });
    this.reaper = new Reaper({
      store,
      visibilityTimeoutMs,
      backoff,
      onExpired: (ids) => {
        const answeredAt = monotonicNow();
        this.#lastReap = { sentAt: answeredAt, answeredAt }; // when it was sent does not matter: no slot waits for it
        options.telemetry.noteExpired(ids.length);
        onExpired(ids);
      },
      onError,
    });
  }

  /** Whether nothing more is due, as far as Redis has told it: at a look after the last job that went back. */
  get isQuiet(): boolean {
    const { quietLook: look } = this.claimer;
    const giveBacks = [this.settler.lastRetry, this.#lastReap];
    return look !== undefined && giveBacks.every((call) => !call || ranLater(look, call));
  }

  start(): void {
    this.reaper.start();
    this.claimer.start();
  }

  /** Stops claiming and takes the worker's name out; what is held goes on until it is settled. */
  async leave(): Promise<void> {
    const { store, workerId, onError } = this.#options;
    await this.claimer.stop();
    // Where that fails, the name goes stale by itself.
    await untraced(() => store.leave(workerId)).catch(onError);
  }

  /** Gives up on what is held, and on outcomes without an answer. */
  async stop(): Promise<void> {
    this.waker.stop();
    await Promise.all([
      this.keeper.stop(),
      this.claimer.stop(),
      this.settler.stop(),
      this.reaper.stop(),
    ]);
  }

  #onLook(reply: ClaimReply): void {
    this.#options.telemetry.noteClaim(reply);
    this.reaper.noteLeaseEnd(reply.leaseEndsInMs);
    const jump = this.#clockWatch.note(reply.clock);
    if (jump) this.#options.onClockJump(jump);
  }
}
