/**
 * Claims jobs by hand. The same script as a worker's claim, the same watch on the head while it waits,
 * the same reaping of expired leases: a queue that is only ever claimed by hand loses nothing either.
 */
import type { ClaimTelemetry } from "../../telemetry/claim-telemetry.ts";
import { monotonicNow, startTimer } from "../model/clock.ts";
import { HoldfastError } from "../model/errors.ts";
import { newWorkerId } from "../model/ids.ts";
import { CALL_TIMEOUT_MS } from "../model/limits.ts";
import type { ResolvedClaimOptions } from "../model/worker-options.ts";
import type { ClaimedJob } from "../store/messages.ts";
import { openDelivery } from "./delivery.ts";
import { Lease, leaseLost } from "./lease.ts";
import { Delivery } from "./manual-delivery.ts";
import type { Part } from "./part.ts";
import type { QueueCore } from "./queue-core.ts";
import { retryPauseMs } from "./retry-pause.ts";
import { byAnswer, type LeaseCalls, ShardClaims, type TakenJobs } from "./shard-claims.ts";

/** Longest time between two looks of a waiting claim, as for a worker at its defaults. */
const POLL_INTERVAL_MS = 5_000;

/** A claim as its caller wants it, and who is told of it. */
export interface ClaimTask extends ResolvedClaimOptions {
  readonly telemetry: ClaimTelemetry | undefined;
}

interface LookTask {
  readonly caller: object;
  readonly options: ClaimTask;
  /** 0: the caller does not wait. */
  readonly pollIntervalMs: number;
  /** After this, shards that do not answer are waited for no more. */
  readonly giveUpAt: number;
}

/** One look at all shards. */
interface Look<T> {
  readonly deliveries: Delivery<T>[];
  /** Jobs on their way to be deliveries, and those. */
  takenJobs: number;
  reapedJobs: number;
  /** When to look again. */
  lookInMs: number;
  failure: unknown;
}

export class Consumer implements Part {
  readonly #core: QueueCore;
  readonly #shards: ShardClaims[];
  #isWoken = false;
  #resume: (() => void) | undefined;
  #claiming: Promise<unknown> | undefined;
  #isStopped = false;

  /** @param leaseCalls one a shard, in their order */
  constructor(core: QueueCore, leaseCalls: readonly LeaseCalls[]) {
    this.#core = core;
    const onWake = () => {
      this.#isWoken = true;
      this.#resume?.();
    };
    const consumerId = newWorkerId();
    this.#shards = core.shards.map(
      ({ store }, index) =>
        new ShardClaims(store, leaseCalls[index]!, core, { consumerId, onWake }),
    );
  }

  start(): void {
    // Claims run on demand.
  }

  /** Ends the wait, and takes the consumer's name out of Redis. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#resume?.();
    await this.#claiming?.catch(() => undefined); // reported to its caller
    await Promise.all(this.#shards.map((shard) => shard.stop()));
  }

  claim<T>(options: ClaimTask): Promise<Delivery<T>[]> {
    const claiming = this.#claim<T>(options);
    this.#claiming = claiming;
    return claiming;
  }

  async #claim<T>(options: ClaimTask): Promise<Delivery<T>[]> {
    const caller = {};
    const deadline = monotonicNow() + options.waitMs;
    // The first look registers nobody as waiting: most claims find something, or do not wait.
    let giveUpAt = Number.POSITIVE_INFINITY;
    for (let waits = false, failures = 0; ;) {
      this.#isWoken = false;
      if (failures === 0) {
        // A claim without an answer is repeated until the wait is over, and for no less than one call.
        giveUpAt = Math.max(deadline, monotonicNow() + CALL_TIMEOUT_MS);
      }
      const pollIntervalMs = waits && monotonicNow() < deadline ? POLL_INTERVAL_MS : 0;
      const look = await this.#look<T>({ caller, options, pollIntervalMs, giveUpAt });
      const { deliveries, reapedJobs, lookInMs, failure } = look;
      if (this.#isStopped) {
        // Nobody could settle them any more.
        const release = { countsAttempt: false };
        await Promise.allSettled(deliveries.map((delivery) => delivery.nack(release)));
        return [];
      }
      if (deliveries.length > 0) {
        this.#unregister();
        return deliveries;
      }
      if (failure !== undefined) {
        failures += 1;
        await this.#pauseOrFail(failure, failures, giveUpAt, options);
        continue;
      }
      failures = 0;
      if (reapedJobs > 0) {
        continue;
      }
      if (this.#isOver(options) || monotonicNow() >= deadline) {
        this.#unregister();
        return [];
      }
      if (!waits) {
        waits = true;
        await Promise.all(this.#shards.map(({ waker }) => waker.start()));
        continue;
      }
      await this.#sleep(Math.min(lookInMs, deadline - monotonicNow()), options.signal);
      if (this.#isOver(options)) {
        this.#unregister();
        return [];
      }
    }
  }

  /**
   * Shards whose answer this caller misses come first, and together, for each may be silent again. Then
   * the others in turn, those last that left earlier callers without an answer.
   */
  async #look<T>(task: LookTask): Promise<Look<T>> {
    const { caller, options, giveUpAt } = task;
    const look: Look<T> = {
      deliveries: [],
      takenJobs: 0,
      reapedJobs: 0,
      lookInMs: POLL_INTERVAL_MS,
      failure: undefined,
    };
    this.#shards.push(this.#shards.shift()!);
    const awaited = this.#shards.filter((shard) => shard.isAwaitedBy(caller));
    const others = this.#shards.filter((shard) => !awaited.includes(shard));
    await Promise.all(awaited.map((shard) => this.#lookAt(shard, task, look)));
    for (const shard of others.toSorted(byAnswer)) {
      const { deliveries, failure } = look;
      // What was found does not wait for more shards that may be silent, nor does the caller for ever.
      const isLate = deliveries.length > 0 || this.#isOver(options) || monotonicNow() >= giveUpAt;
      const isDone = deliveries.length === options.max || this.#isStopped;
      if (isDone || (failure !== undefined && isLate)) {
        break;
      }
      await this.#lookAt(shard, task, look);
    }
    return look;
  }

  /** What other shards have is not held back for one that fails. */
  async #lookAt<T>(shard: ShardClaims, task: LookTask, look: Look<T>): Promise<void> {
    try {
      const { options, pollIntervalMs } = task;
      const { visibilityTimeoutMs } = options;
      const maxJobs = options.max - look.takenJobs;
      const claim = { maxJobs, visibilityTimeoutMs, pollIntervalMs, comesBack: false };
      const { reply, heldSince } = await shard.claim(task.caller, claim);
      if (this.#isStopped) {
        await shard.giveBack(reply);
        return;
      }
      // A repeated claim may bring more than there is room for by now.
      const room = options.max - look.takenJobs;
      const { token, jobs } = reply;
      const wanted = jobs.slice(0, room);
      look.takenJobs += wanted.length;
      await shard.giveBack({ token, jobs: jobs.slice(room) });
      const opened = await this.#open<T>(shard, { token, jobs: wanted }, heldSince, options);
      look.takenJobs -= wanted.length - opened.length;
      look.deliveries.push(...opened);
      look.reapedJobs += reply.leaseEndsInMs === 0 ? await shard.reap() : 0;
      look.lookInMs = Math.min(
        look.lookInMs,
        reply.lookInMs ?? 0,
        reply.leaseEndsInMs || POLL_INTERVAL_MS,
      );
    } catch (error) {
      look.failure ??= error;
    }
  }

  #isOver(options: ClaimTask): boolean {
    return this.#isStopped || options.signal?.aborted === true;
  }

  /** @throws the failure, where it is final or there is no time left for another try */
  async #pauseOrFail(
    failure: unknown,
    failures: number,
    giveUpAt: number,
    options: ClaimTask,
  ): Promise<void> {
    const pauseMs = retryPauseMs(failures);
    const isWorthRepeating = failure instanceof HoldfastError && failure.retryable;
    if (!isWorthRepeating || this.#isOver(options) || monotonicNow() + pauseMs >= giveUpAt) {
      throw failure;
    }
    await this.#sleep(pauseMs, options.signal);
  }

  /** The jobs that may run; the others are buried with the reason. */
  async #open<T>(
    shard: ShardClaims,
    { jobs, token }: TakenJobs,
    heldSince: number,
    options: ClaimTask,
  ): Promise<Delivery<T>[]> {
    const opened = await Promise.all(
      jobs.map((job) => {
        const lease = new Lease(job.id, token, heldSince, options.visibilityTimeoutMs);
        return this.#openOne<T>(shard, job, lease, options);
      }),
    );
    return opened.filter((delivery) => delivery !== undefined);
  }

  async #openOne<T>(
    { settler, extender }: ShardClaims,
    claimed: ClaimedJob,
    lease: Lease,
    { visibilityTimeoutMs, maxAttempts, telemetry: claiming }: ClaimTask,
  ): Promise<Delivery<T> | undefined> {
    const { options: rules, telemetry } = this.#core;
    lease.telemetry = telemetry.startDelivery(claimed, true);
    const opened = await openDelivery(claimed, rules, maxAttempts);
    if ("kind" in opened) {
      await settler.settle(lease, opened);
      return undefined;
    }
    claiming?.addLink(lease.telemetry?.handOver(opened.envelope));
    const extend = async () => {
      if (!(await extender.extend(lease, visibilityTimeoutMs))) {
        // Settled by its holder a moment before: that is no loss.
        if (!lease.isSettled) lease.telemetry?.leaseLost("extend");
        throw leaseLost(lease.id, "its token is no longer in force");
      }
    };
    const { envelope, data } = opened;
    return new Delivery<T>({ claimed, lease, envelope, data, maxAttempts, extend }, settler);
  }

  #unregister(): void {
    for (const shard of this.#shards) shard.unregister();
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
