/**
 * Claims jobs by hand. The same script as a worker's claim, the same watch on the head while it waits,
 * the same reaping of expired leases: a queue that is only ever claimed by hand loses nothing either.
 */
import { monotonicNow, startTimer } from "../model/clock.ts";
import { exponential } from "../model/backoff.ts";
import { HoldfastError } from "../model/errors.ts";
import { newWorkerId } from "../model/ids.ts";
import { CALL_TIMEOUT_MS } from "../model/limits.ts";
import type { ResolvedClaimOptions } from "../model/worker-options.ts";
import type { ClaimedJob, ClaimReply } from "../store/messages.ts";
import { openDelivery } from "./delivery.ts";
import { Lease } from "./lease.ts";
import { Delivery, leaseRefused } from "./manual-delivery.ts";
import type { Part } from "./part.ts";
import type { QueueCore } from "./queue-core.ts";
import { reapDelaysMs } from "./reaper.ts";
import { retryPauseMs } from "./retry-pause.ts";
import type { Settler } from "./settler.ts";
import { Waker } from "./waker.ts";

/** Longest time between two looks of a waiting claim, as for a worker at its defaults. */
const POLL_INTERVAL_MS = 5_000;

export class Consumer implements Part {
  readonly #core: QueueCore;
  readonly #settler: Settler;
  readonly #id = newWorkerId();
  readonly #waker: Waker;
  #request = 1;
  #isWoken = false;
  #resume: (() => void) | undefined;
  #isRegistered = false;
  #isStopped = false;

  constructor(core: QueueCore, settler: Settler) {
    this.#core = core;
    this.#settler = settler;
    this.#waker = new Waker({
      subscriber: core.subscriber,
      channel: core.store.wakeChannel + this.#id,
      onWake: () => {
        this.#isWoken = true;
        this.#resume?.();
      },
      // Without wake-ups the claim polls.
      onError: () => undefined,
    });
  }

  start(): void {
    // Claims run on demand.
  }

  /** Ends the wait, and takes the consumer's name out of Redis. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#waker.stop();
    this.#resume?.();
    await this.#core.store.leave(this.#id);
  }

  async claim<T>(options: ResolvedClaimOptions): Promise<Delivery<T>[]> {
    const deadline = monotonicNow() + options.waitMs;
    // The first look registers nobody as waiting: most claims find something, or do not wait.
    for (let waits = false; ;) {
      this.#isWoken = false;
      const sentAt = monotonicNow();
      const pollIntervalMs = waits && sentAt < deadline ? POLL_INTERVAL_MS : 0;
      const reply = await this.#claimOnce(options, pollIntervalMs, deadline);
      const deliveries = await this.#open<T>(reply, sentAt, options);
      const reapedJobs = reply.leaseEndsInMs === 0 ? await this.#reap() : 0;
      if (
        deliveries.length > 0 ||
        (reapedJobs === 0 && (this.#isOver(options) || monotonicNow() >= deadline))
      ) {
        this.#unregister();
        return deliveries;
      }
      if (reapedJobs > 0) {
        continue;
      }
      if (!waits) {
        waits = true;
        await this.#waker.start();
        continue;
      }
      const dueInMs = Math.min(reply.lookInMs ?? 0, reply.leaseEndsInMs || POLL_INTERVAL_MS);
      await this.#sleep(Math.min(dueInMs, deadline - monotonicNow()), options.signal);
      if (this.#isOver(options)) {
        this.#unregister();
        return [];
      }
    }
  }

  #isOver(options: ResolvedClaimOptions): boolean {
    return this.#isStopped || options.signal?.aborted === true;
  }

  /** Repeats a claim without an answer under the same number, so that its jobs are not stranded. */
  async #claimOnce(
    options: ResolvedClaimOptions,
    pollIntervalMs: number,
    deadline: number,
  ): Promise<ClaimReply> {
    const giveUpAt = Math.max(deadline, monotonicNow() + CALL_TIMEOUT_MS);
    for (let failures = 1; ; failures += 1) {
      try {
        const reply = await this.#core.store.claim({
          workerId: this.#id,
          request: this.#request,
          maxJobs: options.max,
          visibilityTimeoutMs: options.visibilityTimeoutMs,
          pollIntervalMs,
          comesBack: false,
        });
        this.#request += 1;
        this.#isRegistered = pollIntervalMs > 0;
        return reply;
      } catch (error) {
        const pauseMs = retryPauseMs(failures);
        const isWorthRepeating = error instanceof HoldfastError && error.retryable;
        if (!isWorthRepeating || this.#isOver(options) || monotonicNow() + pauseMs >= giveUpAt) {
          throw error;
        }
        await this.#sleep(pauseMs, options.signal);
      }
    }
  }

  /** The jobs that may run; the others are buried with the reason. */
  async #open<T>(
    reply: ClaimReply,
    sentAt: number,
    options: ResolvedClaimOptions,
  ): Promise<Delivery<T>[]> {
    const opened = await Promise.all(
      reply.jobs.map((job) => this.#openOne<T>(job, reply.token, sentAt, options)),
    );
    return opened.filter((delivery) => delivery !== undefined);
  }

  async #openOne<T>(
    claimed: ClaimedJob,
    token: number,
    sentAt: number,
    options: ResolvedClaimOptions,
  ): Promise<Delivery<T> | undefined> {
    const { visibilityTimeoutMs, maxAttempts } = options;
    const lease = new Lease(claimed.id, token, sentAt, visibilityTimeoutMs);
    const opened = await openDelivery(claimed, this.#core.options, maxAttempts);
    if ("kind" in opened) {
      await this.#settler.settle(lease, opened);
      return undefined;
    }
    const extend = async () => {
      const extendedAt = monotonicNow();
      const [isHeld] = await this.#core.store.extend([lease], visibilityTimeoutMs);
      if (!isHeld) {
        throw leaseRefused(lease.id);
      }
      lease.renew(extendedAt, visibilityTimeoutMs);
    };
    return new Delivery<T>({ ...opened, claimed, lease, maxAttempts, extend }, this.#settler);
  }

  /** Gives expired leases back; how many. A failure only leaves them to the next look. */
  async #reap(): Promise<number> {
    return this.#core.store.reap(reapDelaysMs(exponential())).then(
      ({ ids }) => ids.length,
      () => 0,
    );
  }

  /** A consumer that nobody waits on must not be taken for one that looks. */
  #unregister(): void {
    if (this.#isRegistered) {
      this.#isRegistered = false;
      // Not waited for: the jobs in hand matter more, and a name left behind goes stale by itself.
      this.#core.store.leave(this.#id).catch(() => undefined);
    }
  }

  #sleep(delayMs: number, signal: AbortSignal | undefined): Promise<void> {
    if (this.#isWoken || this.#isStopped || signal?.aborted) {
      return Promise.resolve();
    }
    return new Promise((resolve) => {
      const resume = () => {
        timer.cancel();
        signal?.removeEventListener("abort", resume);
        this.#resume = undefined;
        resolve();
      };
      const timer = startTimer(delayMs, resume);
      signal?.addEventListener("abort", resume);
      this.#resume = resume;
    });
  }
}
