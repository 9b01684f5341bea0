/** A queue: produce, look up, administer. */
import { DeadLetters } from "./dead-letters.ts";
import { audit } from "./engine/auditor.ts";
import { enqueueInSlices } from "./engine/enqueue-many.ts";
import type { Delivery } from "./engine/manual-delivery.ts";
import { newJob } from "./engine/new-job.ts";
import { QueueCore } from "./engine/queue-core.ts";
import type { Shard } from "./engine/shard.ts";
import { readSnapshots } from "./engine/snapshots.ts";
import { checkBoolean, checkId, checkOptionNames } from "./model/checks.ts";
import { validatePayload } from "./model/codec.ts";
import {
  type DueOptions,
  type EnqueueOptions,
  resolveEnqueueOptions,
  resolveItemOptions,
  resolveNewDue,
} from "./model/enqueue-options.ts";
import { InvalidOptionError } from "./model/errors.ts";
import type { JobSnapshot } from "./model/job.ts";
import { type QueueOptions, resolveQueueOptions } from "./model/queue-options.ts";
import { mergeReports, type VerifyReport } from "./model/verify-report.ts";
import { type ClaimOptions, resolveClaimOptions } from "./model/worker-options.ts";
import {
  type EnqueueResult,
  enqueueResult,
  mergeStats,
  type NewJobItem,
  type QueueStats,
  queueStats,
} from "./queue-results.ts";

/** A queue whose handlers get `Output`, whatever its producers enqueue. */
export type QueueOf<Output> = Pick<Queue<never, Output>, "name" | "claim">;

const cores = new WeakMap<object, QueueCore>();

/** What a worker builds on. Not part of the public surface. */
export function coreOf(queue: object): QueueCore {
  const core = cores.get(queue);
  if (!core) {
    throw new InvalidOptionError("queue", queue, "a Queue of this copy of holdfast");
  }
  return core;
}

/**
 * A queue of delayed jobs on Redis. One `Queue` object serves a whole process; it opens its connection
 * with the first call.
 *
 * `Input` is what producers enqueue, `Output` what handlers get: the same, unless a schema transforms it.
 *
 * Every call that reaches Redis may reject with `RedisUnavailableError`, `RedisRefusedError`,
 * `UnsafeRedisError` or `IncompatibleDataError`, and with `ClosedError` after `close`.
 */
export class Queue<Input = unknown, Output = Input> implements AsyncDisposable {
  readonly name: string;
  /** The dead letters. */
  readonly dead: DeadLetters<Input>;
  readonly #core: QueueCore;

  /**
   * @param name 1 to 128 bytes, without `{` and `}`
   * @throws InvalidOptionError naming the option, its value and what is allowed
   */
  constructor(name: string, options: QueueOptions<Input, Output> = {}) {
    this.#core = new QueueCore(resolveQueueOptions(name, options));
    this.name = this.#core.options.name;
    this.dead = new DeadLetters(this.#core);
    cores.set(this, this.#core);
  }

  /**
   * Stores a job. Once this resolves, the job is delivered until it is acknowledged, dead-lettered or
   * cancelled, as long as Redis keeps its data.
   *
   * @throws InvalidOptionError, PayloadError: nothing was sent
   * @throws QueueFullError if Redis is at its memory limit: nothing was stored
   * @throws EnqueueUnconfirmedError if no answer came within `enqueueTimeoutMs` (and the durability's
   *   `timeoutMs`): enqueue again with the same id
   * @throws DurabilityError if the job is stored, but fewer copies than asked for were confirmed
   */
  enqueue(data: Input, options: EnqueueOptions = {}): Promise<EnqueueResult> {
    return this.#core.trackEnqueue(this.#enqueue(data, options));
  }

  /**
   * Stores many jobs in few calls. All are checked before the first is sent. They are stored in batches:
   * after an error some may be stored, and `error.ids` names those that are not known to be, or not
   * confirmed.
   *
   * @returns the results in the order of the items
   * @throws as `enqueue` does
   */
  enqueueMany(items: readonly NewJobItem<Input>[]): Promise<EnqueueResult[]> {
    return this.#core.trackEnqueue(this.#enqueueMany(items));
  }

  /** The job with this id, or undefined if there is none. */
  async get(id: string): Promise<JobSnapshot<Input> | undefined> {
    checkId(id);
    this.#core.ensureOpen();
    const { store } = this.#core.shardOf(id);
    return (await readSnapshots<Input>(store, this.#core.options.codec, [id]))[0];
  }

  /**
   * Removes a job that no worker holds yet.
   *
   * @returns "cancelled", or where the job is instead: "processing", "dead", or "gone" if there is none
   */
  async cancel(id: string): Promise<"cancelled" | "processing" | "dead" | "gone"> {
    checkId(id);
    this.#core.ensureOpen();
    const place = await this.#core.shardOf(id).store.cancel(id);
    return place as "cancelled" | "processing" | "dead" | "gone";
  }

  /**
   * Gives a job that no worker holds yet a new due time.
   *
   * @returns the new due time, or where the job is instead: "processing", "dead", or "gone" if there is none
   * @throws InvalidOptionError unless exactly one of `delayMs` and `runAt` is given
   */
  async reschedule(
    id: string,
    due: DueOptions,
  ): Promise<
    | { readonly status: "rescheduled"; readonly dueAt: Date }
    | { readonly status: "processing" | "dead" | "gone"; readonly dueAt: undefined }
  > {
    checkId(id);
    const newDue = resolveNewDue(due);
    this.#core.ensureOpen();
    const { status, dueAtMs } = await this.#core.shardOf(id).store.reschedule(id, newDue);
    return status === "rescheduled"
      ? { status, dueAt: new Date(dueAtMs) }
      : { status: status as "processing" | "dead" | "gone", dueAt: undefined };
  }

  /** Counts, taken together in one step; shard by shard, where there are several. */
  async stats(): Promise<QueueStats> {
    this.#core.ensureOpen();
    return mergeStats(
      await this.#forEachShard(async ({ store }) => queueStats(await store.stats())),
    );
  }

  /** Stops all claims on this queue, in every process. Enqueueing and running handlers go on. */
  async pause(): Promise<void> {
    this.#core.ensureOpen();
    await this.#forEachShard(({ store }) => store.pause());
  }

  /** Ends a pause. */
  async resume(): Promise<void> {
    this.#core.ensureOpen();
    await this.#forEachShard(({ store }) => store.resume());
  }

  /**
   * Audits that every job is in exactly one place, beside running workers, in bounded steps.
   * `formatVerifyReport` turns the report into text.
   *
   * @param options `repair`: whether to mend breaches. No payload is ever removed: a job in no place
   *   becomes due, a job in several keeps the strongest, entries without a job go. Default false.
   *   `signal`: ends the audit early; the report then has `isComplete: false`.
   */
  async verify(
    options: { readonly repair?: boolean; readonly signal?: AbortSignal } = {},
  ): Promise<VerifyReport> {
    checkOptionNames("options", options, ["repair", "signal"]);
    const { repair = false, signal } = options;
    checkBoolean("repair", repair);
    if (signal !== undefined && !(signal instanceof AbortSignal)) {
      throw new InvalidOptionError("signal", signal, "an AbortSignal");
    }
    this.#core.ensureOpen();
    const reports: VerifyReport[] = [];
    for (const { store } of this.#core.shards) {
      reports.push(await audit(await store.openAudit(), repair, signal));
    }
    return mergeReports(reports);
  }

  /**
   * Claims due jobs by hand, without a worker. You settle each delivery yourself, before its visibility
   * timeout ends. Jobs that cannot be decoded or have used up their attempts are buried, not returned.
   *
   * @returns up to `max` jobs; none if none was due within `waitMs`
   * @throws InvalidOptionError, OverloadedError
   */
  async claim(options: ClaimOptions = {}): Promise<Delivery<Output>[]> {
    const resolved = resolveClaimOptions(options);
    this.#core.ensureOpen();
    return this.#core.consumers.claim<Output>(resolved);
  }

  /**
   * Waits for enqueues under way, at most `enqueueTimeoutMs` (and the queue's `durability.timeoutMs`) and no
   * less than 2 s, then closes the connections that were opened here. Close the queue's workers first.
   * Never rejects; safe to repeat.
   */
  close(): Promise<void> {
    return this.#core.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #enqueue(data: Input, options: EnqueueOptions): Promise<EnqueueResult> {
    const { telemetry, options: queueOptions } = this.#core;
    const call = telemetry.startEnqueue(options);
    try {
      const resolved = resolveEnqueueOptions(options, queueOptions);
      const checking = this.#check([data]);
      if (checking) await checking;
      const job = newJob(data, resolved, queueOptions, telemetry, call);
      call?.noteSent([job]);
      const reply = await this.#core.shardOf(job.id).enqueue(job);
      call?.end(!reply.isCreated);
      return enqueueResult(job.id, reply);
    } catch (error) {
      call?.fail(error);
      throw error;
    }
  }

  async #enqueueMany(items: readonly NewJobItem<Input>[]): Promise<EnqueueResult[]> {
    if (
      !Array.isArray(items) ||
      !items.every((item) => typeof item === "object" && item !== null)
    ) {
      throw new InvalidOptionError("items", items, "an array of { data, …options }");
    }
    const { telemetry, options: queueOptions } = this.#core;
    const call = telemetry.startEnqueueMany(items);
    try {
      const resolved = items.map((item) => resolveItemOptions(item, queueOptions));
      await this.#check(items.map(({ data }) => data));
      const jobs = items.map(({ data }, index) =>
        newJob(data, resolved[index]!, queueOptions, telemetry, call),
      );
      call?.noteSent(jobs);
      const replies = await enqueueInSlices(jobs, (job) => this.#core.shardOf(job.id).enqueue(job));
      call?.end();
      return replies.map((reply, index) => enqueueResult(jobs[index]!.id, reply));
    } catch (error) {
      call?.fail(error);
      throw error;
    }
  }

  /** A promise only where there is a schema, and what it changes is not stored: it reads the job again at claim. */
  #check(payloads: readonly Input[]): Promise<unknown> | undefined {
    const { schema } = this.#core.options;
    this.#core.ensureOpen();
    return schema && Promise.all(payloads.map((data) => validatePayload(schema, data)));
  }

  #forEachShard<T>(call: (shard: Shard) => Promise<T>): Promise<T[]> {
    return Promise.all(this.#core.shards.map(call));
  }
}
