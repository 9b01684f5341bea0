/**
 * One manual consumer's claims on one shard: numbered, and a claim without an answer is repeated under
 * its number, so that what it took comes back with the next answer.
 */
import { untraced } from "../../telemetry/contexts.ts";
import type { QueueTelemetry } from "../../telemetry/queue-telemetry.ts";
import { exponential } from "../model/backoff.ts";
import { monotonicNow } from "../model/clock.ts";
import { CALL_TIMEOUT_MS } from "../model/limits.ts";
import { RELEASE } from "../model/outcome.ts";
import type { JobStore } from "../store/job-store.ts";
import type { ClaimReply, ClaimRequest } from "../store/messages.ts";
import type { Extender } from "./extender.ts";
import { renewLateJobs } from "./late-jobs.ts";
import { Lease } from "./lease.ts";
import type { Part } from "./part.ts";
import type { QueueCore } from "./queue-core.ts";
import { reapDelaysMs } from "./reaper.ts";
import type { Settler } from "./settler.ts";
import { Waker } from "./waker.ts";

/** Jobs of one claim. */
export type TakenJobs = Pick<ClaimReply, "token" | "jobs">;

/** What the deliveries of one shard are settled and extended with, whoever claimed them. */
export interface LeaseCalls {
  readonly settler: Settler;
  readonly extender: Extender;
}

interface SentClaim {
  readonly request: ClaimRequest;
  readonly firstSentAt: number;
  /** Who gets the jobs. Jobs for a caller who has given up are released. */
  readonly caller: object;
}

export class ShardClaims implements Part {
  readonly store: JobStore;
  readonly settler: Settler;
  readonly extender: Extender;
  readonly waker: Waker;
  readonly #telemetry: QueueTelemetry;
  readonly #consumerId: string;
  #request = 1;
  #unanswered: SentClaim | undefined;
  #isRegistered = false;

  constructor(
    store: JobStore,
    { settler, extender }: LeaseCalls,
    { subscriber, telemetry }: QueueCore,
    { consumerId, onWake }: { consumerId: string; onWake: () => void },
  ) {
    this.store = store;
    this.settler = settler;
    this.extender = extender;
    this.#telemetry = telemetry;
    this.#consumerId = consumerId;
    this.waker = new Waker({
      subscriber,
      channel: store.wakeChannel + consumerId,
      onWake,
      // Without wake-ups the claim polls.
      onError: () => undefined,
    });
  }

  start(): void {
    // Claims run on demand.
  }

  /** Gives back what an unanswered claim took, and takes the consumer's name out of Redis. */
  async stop(): Promise<void> {
    this.waker.stop();
    if (this.#unanswered) {
      await this.#takeBack(this.#unanswered);
    }
    await untraced(() => this.store.leave(this.#consumerId));
  }

  /** Whether a claim has no answer yet. */
  get isUnanswered(): boolean {
    return this.#unanswered !== undefined;
  }

  /** Whether a claim of this caller has no answer yet. */
  isAwaitedBy(caller: object): boolean {
    return this.#unanswered?.caller === caller;
  }

  /**
   * Claims once, or repeats the caller's claim that has no answer; that may bring more than is asked for now.
   *
   * @throws HoldfastError if Redis gives no answer: call again, or leave it to a later claim or the stop
   */
  async claim(
    caller: object,
    what: Omit<ClaimRequest, "workerId" | "request">,
  ): Promise<{ reply: ClaimReply; heldSince: number }> {
    if (this.#unanswered && this.#unanswered.caller !== caller) {
      await this.#takeBack(this.#unanswered);
    }
    this.#unanswered ??= {
      request: { ...what, workerId: this.#consumerId, request: this.#request },
      firstSentAt: monotonicNow(),
      caller,
    };
    const { request, firstSentAt } = this.#unanswered;
    const sentAt = monotonicNow();
    const reply = await untraced(() => this.store.claim(request)).catch((error: unknown) => {
      this.#telemetry.noteFailedClaim(error, monotonicNow() - sentAt);
      throw error;
    });
    const { visibilityTimeoutMs } = request;
    const held = await renewLateJobs(this.store, reply, firstSentAt, visibilityTimeoutMs);
    this.#noteAnswer(request);
    this.#telemetry.noteClaim(reply);
    return { reply: { ...reply, jobs: held.jobs }, heldSince: held.heldSince };
  }

  /** Releases jobs that came too late for the caller who asked for them. */
  async giveBack({ jobs, token }: TakenJobs): Promise<void> {
    const now = monotonicNow();
    await Promise.all(
      jobs.map(({ id }) =>
        this.settler.settle(new Lease(id, token, now, CALL_TIMEOUT_MS), RELEASE),
      ),
    );
  }

  /** Gives expired leases back; how many. A failure only leaves them to the next look. */
  async reap(): Promise<number> {
    const reaping = untraced(() => this.store.reap(reapDelaysMs(exponential())));
    const reaped = await reaping.then(
      ({ ids }) => ids.length,
      () => 0,
    );
    this.#telemetry.noteExpired(reaped);
    return reaped;
  }

  /** A consumer that nobody waits on must not be taken for one that looks. */
  unregister(): void {
    if (this.#isRegistered) {
      this.#isRegistered = false;
      // Not waited for: the jobs in hand matter more, and a name left behind goes stale by itself.
      untraced(() => this.store.leave(this.#consumerId)).catch(() => undefined);
    }
  }

  async #takeBack({ request }: SentClaim): Promise<void> {
    const reply = await untraced(() => this.store.claim(request));
    this.#noteAnswer(request);
    await this.giveBack(reply);
  }

  #noteAnswer({ pollIntervalMs }: ClaimRequest): void {
    this.#unanswered = undefined;
    this.#request += 1;
    this.#isRegistered = pollIntervalMs > 0;
  }
}

/** Orders shards so that those come last whose last claim has no answer yet. */
export function byAnswer(one: ShardClaims, other: ShardClaims): number {
  return Number(one.isUnanswered) - Number(other.isUnanswered);
}
