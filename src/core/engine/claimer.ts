/**
 * Looks for due jobs of one shard and claims them: at most as many as there are free slots, one claim at
 * a time.
 *
 * Between claims it is in one of two states. *Full*: the last claim gave all that was asked for, so
 * there may be more, and it claims again when a slot is free. *Watching*: nothing more was due, so it
 * looks again at the time that Redis named, or when it is woken. If the claims on other shards have
 * taken the slots by then, it claims no job, which hands the watch to another worker.
 *
 * A failed claim is repeated under the same number, so that jobs taken by a claim whose reply was lost
 * come back with the next reply. The repeat asks for no other jobs, so it waits for no slot, and a shard
 * that does not answer keeps none from the others.
 */
import { untraced } from "../../telemetry/contexts.ts";
import { monotonicNow, nextTurn, startTimer } from "../model/clock.ts";
import { CLAIM_BATCH_JOBS, CLAIM_SIZE_WORTH_SPLITTING, SHORT_JOB_MS } from "../model/limits.ts";
import type { ResolvedWorkerOptions } from "../model/worker-options.ts";
import type { JobStore } from "../store/job-store.ts";
import type { ClaimedJob, ClaimReply } from "../store/messages.ts";
import { renewLateJobs } from "./late-jobs.ts";
import type { Part } from "./part.ts";
import { retryPauseMs } from "./retry-pause.ts";
import type { Slots } from "./slots.ts";
import type { TimedCall } from "./timed-call.ts";

export interface ClaimerOptions {
  readonly store: JobStore;
  readonly workerId: string;
  readonly worker: ResolvedWorkerOptions;
  readonly slots: Slots;
  readonly accept: (job: ClaimedJob, token: number, sentAt: number) => void;
  /** Called when nothing more was due, and it begins to wait until that changes. */
  readonly onQuiet: () => void;
  /** Called after each look that could have found jobs. */
  readonly onLook: (reply: ClaimReply) => void;
  /** Called after each look that Redis did not answer well. */
  readonly onFailure: (error: unknown, durationMs: number) => void;
}

/** By how much the quickest round trip grows with each claim, so that a slower network is noticed within some dozens. */
const ROUND_TRIP_FORGETTING = 1.05;

type Sleep = "awake" | "until-free" | "until-due" | "until-retry";

export class Claimer implements Part {
  readonly #options: ClaimerOptions;
  #request = 1;
  /** When the present number was first sent. */
  #firstSentAt: number | undefined;
  #failures = 0;
  #sleep: Sleep = "awake";
  #resume: (() => void) | undefined;
  #isWoken = false;
  /** Whether Redis has it down as one that looks. */
  #isWatching = false;
  #isStopped = false;
  #loop: Promise<void> | undefined;
  /** Of the quickest of the last claims: others waited for this process, or for a busy Redis. */
  #roundTripMs: number | undefined;
  #lastLook: TimedCall | undefined;
  #lastLookAt: number | undefined;
  #couldLookSince = Number.POSITIVE_INFINITY;

  constructor(options: ClaimerOptions) {
    this.#options = options;
  }

  /** When the last look was answered, on the monotonic clock. */
  get lastLookAt(): number | undefined {
    return this.#lastLookAt;
  }

  /** The look after which it waits until more is due; undefined while it does not, or has asked for no job. */
  get quietLook(): TimedCall | undefined {
    return this.#sleep === "until-due" ? this.#lastLook : undefined;
  }

  /** How long it could have looked without having done so: 0 while all slots are taken. */
  get unlookedMs(): number {
    return this.#sleep === "until-free" ? 0 : monotonicNow() - this.#couldLookSince;
  }

  start(): void {
    if (!this.#isStopped && !this.#loop) {
      this.#couldLookSince = monotonicNow();
      this.#loop = this.#run();
    }
  }

  /** Resolves when the claim on the wire, if any, is answered or given up. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#resume?.();
    await this.#loop;
  }

  /** Look now: there is work. */
  wake(): void {
    this.#isWoken = true;
    if (this.#sleep === "until-due") {
      this.#resume?.();
    }
  }

  async #run(): Promise<void> {
    const { slots } = this.#options;
    let isOurTurn = false;
    while (!this.#isStopped) {
      const free = Math.max(0, slots.free);
      const mustWait = free === 0 ? !this.#isWatching : slots.hasLine && !isOurTurn;
      if (mustWait && this.#failures === 0) {
        await this.#sleepFor("until-free");
        isOurTurn = true;
        this.#couldLookSince = monotonicNow();
        continue;
      }
      isOurTurn = false;
      this.#isWoken = false;
      const reply = await this.#claim(free);
      if (!reply) {
        await this.#sleepFor("until-retry", retryPauseMs(this.#failures));
      } else if (reply.lookInMs !== undefined && !this.#isWoken) {
        await this.#sleepFor("until-due", reply.lookInMs);
      } else if (this.#isFar && slots.free > 0 && slots.free < CLAIM_BATCH_JOBS) {
        await nextTurn(); // more are free once handlers that do nothing have run
      }
    }
    if (this.#failures > 0) {
      // A claim without an answer may have taken jobs. Once more, so that they are given back now.
      await this.#claim(1);
    }
    slots.offer(); // a turn that came with the stop
  }

  /** Undefined after a failure. The number is then used again, so the sending that counts is its first. */
  async #claim(free: number): Promise<ClaimReply | undefined> {
    const { store, slots, workerId, worker, accept, onLook, onFailure } = this.#options;
    const { visibilityTimeoutMs, pollIntervalMs } = worker;
    const maxJobs = this.#failures > 0 ? 0 : Math.min(free, this.#claimSize);
    const request = this.#request;
    const sentAt = monotonicNow();
    this.#firstSentAt ??= sentAt;
    slots.reserve(maxJobs);
    let reply: ClaimReply;
    let held: { jobs: readonly ClaimedJob[]; heldSince: number };
    try {
      const comesBack = free > maxJobs;
      const options = {
        workerId,
        request,
        maxJobs,
        visibilityTimeoutMs,
        pollIntervalMs: free > 0 ? pollIntervalMs : 0,
        comesBack,
      };
      reply = await untraced(() => store.claim(options));
      held = await renewLateJobs(store, reply, this.#firstSentAt, visibilityTimeoutMs);
    } catch (error) {
      slots.giveBack(maxJobs);
      this.#failures += 1;
      onFailure(error, monotonicNow() - sentAt);
      return undefined;
    }
    slots.giveBack(maxJobs);
    for (const job of held.jobs) {
      accept(job, reply.token, held.heldSince);
    }
    this.#request += 1;
    this.#firstSentAt = undefined;
    this.#failures = 0;
    this.#isWatching = reply.lookInMs !== undefined;
    const roundTripMs = reply.clock.answeredAt - reply.clock.askedAt;
    this.#roundTripMs = Math.min(
      roundTripMs,
      (this.#roundTripMs ?? roundTripMs) * ROUND_TRIP_FORGETTING,
    );
    this.#lastLookAt = monotonicNow();
    this.#lastLook = maxJobs > 0 ? { sentAt, answeredAt: this.#lastLookAt } : undefined;
    this.#couldLookSince = this.#lastLookAt;
    if (maxJobs > 0 || reply.jobs.length > 0) {
      onLook(reply);
    }
    return reply;
  }

  /**
   * With many slots, each claim takes half of them: so Redis works on one half while this process runs
   * the other. With few, or with Redis far away, a call costs more than that gains.
   */
  get #claimSize(): number {
    const half = Math.ceil(this.#options.worker.concurrency / 2);
    return this.#hasMany && !this.#isFar ? Math.min(CLAIM_BATCH_JOBS, half) : CLAIM_BATCH_JOBS;
  }

  get #hasMany(): boolean {
    return this.#options.worker.concurrency >= 2 * CLAIM_SIZE_WORTH_SPLITTING;
  }

  /**
   * Whether a claim is under way for longer than this process has to do for short jobs in all slots. Not
   * where the claims on several shards overlap each other.
   */
  get #isFar(): boolean {
    const { slots, worker } = this.#options;
    const shortJobsMs = worker.concurrency * SHORT_JOB_MS;
    return this.#hasMany && !slots.areShared && (this.#roundTripMs ?? 0) > shortJobsMs;
  }

  #sleepFor(sleep: Sleep, delayMs?: number): Promise<void> {
    return new Promise((resolve) => {
      if (this.#isStopped) {
        resolve();
        return;
      }
      const { slots, onQuiet } = this.#options;
      const resume = () => {
        timer?.cancel();
        slots.leaveLine(resume);
        this.#sleep = "awake";
        this.#resume = undefined;
        resolve();
      };
      this.#sleep = sleep;
      this.#resume = resume;
      const timer = delayMs === undefined ? undefined : startTimer(delayMs, resume);
      if (sleep === "until-free") slots.lineUp(resume);
      if (sleep === "until-due") onQuiet();
    });
  }
}
