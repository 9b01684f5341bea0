/**
 * Claims jobs by hand. The same script as a worker's claim, the same watch on the head while it waits,
 * the same reaping of expired leases: a queue that is only ever claimed by hand loses nothing either.
 */
import { monotonicNow, startTimer } from "../model/clock.ts";
import { exponential } from "../model/backoff.ts";
import { HoldfastError } from "../model/errors.ts";
import { newWorkerId } from "../model/ids.ts";
import { CALL_TIMEOUT_MS } from "../model/limits.ts";
import { RELEASE } from "../model/outcome.ts";
import type { ResolvedClaimOptions } from "../model/worker-options.ts";
import type { ClaimedJob, ClaimReply, ClaimRequest } from "../store/messages.ts";
import { openDelivery } from "./delivery.ts";
import { renewLateJobs } from "./late-jobs.ts";
import { Lease, leaseLost } from "./lease.ts";
import { Delivery } from "./manual-delivery.ts";
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
  /** The last claim, as long as it has no answer. */
  #unanswered: ClaimRequest | undefined;
  #claiming: Promise<unknown> | undefined;
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
    await this.#claiming?.catch(() => undefined); // reported to its caller
    if (this.#unanswered) {
      await this.#giveBack(await this.#core.store.claim(this.#unanswered));
    }
    await this.#core.store.leave(this.#id);
  }

  claim<T>(options: ResolvedClaimOptions): Promise<Delivery<T>[]> {
    const claiming = this.#claim<T>(options);
    this.#claiming = claiming;
    return claiming;
  }

  async #claim<T>(options: ResolvedClaimOptions): Promise<Delivery<T>[]> {
    const deadline = monotonicNow() + options.waitMs;
    if (this.#unanswered) {
      await this.#giveBack(await this.#claimOnce(this.#unanswered, deadline, options));
    }
    // The first look registers nobody as waiting: most claims find something, or do not wait.
    for (let waits = false; ;) {
      this.#isWoken = false;
      const sentAt = monotonicNow();
      const pollIntervalMs = waits && sentAt < deadline ? POLL_INTERVAL_MS : 0;
      const { max: maxJobs, visibilityTimeoutMs } = options;
      const claim = { maxJobs, visibilityTimeoutMs, pollIntervalMs, comesBack: false };
      const request = { ...claim, workerId: this.#id, request: this.#request };
      const reply = await this.#claimOnce(request, deadline, options);
      if (this.#isStopped) {
        await this.#giveBack(reply);
        return [];
      }
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

  /**
   * Repeats a claim without an answer under the same number. Given up, it may still have taken jobs, so
   * it is remembered, to be asked for once more and given back.
   */
  async #claimOnce(
    request: ClaimRequest,
    deadline: number,
    options: ResolvedClaimOptions,
  ): Promise<ClaimReply> {
    const giveUpAt = Math.max(deadline, monotonicNow() + CALL_TIMEOUT_MS);
    this.#unanswered = request;
    for (let failures = 1; ; failures += 1) {
      try {
        const reply = await this.#core.store.claim(request);
        this.#unanswered = undefined;
        this.#request += 1;
        this.#isRegistered = request.pollIntervalMs > 0;
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

  /** Releases jobs that came too late for the caller who asked for them. */
  async #giveBack({ jobs, token }: ClaimReply): Promise<void> {
    this.#unanswered = undefined;
    const now = monotonicNow();
    await Promise.all(
      jobs.map(({ id }) =>
        this.#settler.settle(new Lease(id, token, now, CALL_TIMEOUT_MS), RELEASE),
      ),
    );
  }

  /** The jobs that may run; the others are buried with the reason. */
  async #open<T>(
    reply: ClaimReply,
    sentAt: number,
    options: ResolvedClaimOptions,
  ): Promise<Delivery<T>[]> {
    const { store } = this.#core;
    const { visibilityTimeoutMs } = options;
    const { jobs, heldSince } = await renewLateJobs(store, reply, sentAt, visibilityTimeoutMs);
    const opened = await Promise.all(
      jobs.map((job) => this.#openOne<T>(job, reply.token, heldSince, options)),
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
        throw leaseLost(lease.id, "its token is no longer in force");
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
