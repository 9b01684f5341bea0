/** Sends new jobs in batches, and repeats a batch without an answer until its time is up. */
import { monotonicNow, pause, withDeadline } from "../model/clock.ts";
import {
  ClosedError,
  EnqueueUnconfirmedError,
  HoldfastError,
  RedisUnavailableError,
} from "../model/errors.ts";
import {
  BATCHES_IN_FLIGHT,
  ENQUEUE_TRY_MIN_MS,
  ENQUEUE_BATCH_BYTES,
  ENQUEUE_BATCH_JOBS,
} from "../model/limits.ts";
import type { JobStore } from "../store/job-store.ts";
import type { EnqueueReply, NewJob } from "../store/messages.ts";
import { Batcher } from "./batcher.ts";
import type { Part } from "./part.ts";
import { retryPauseMs } from "./retry-pause.ts";

interface TimedJob extends NewJob {
  readonly deadline: number;
}

/** Where the last try is cut short, the failure before it says more. */
const noAnswer = (lastFailure: Error | undefined) => () =>
  lastFailure ?? new RedisUnavailableError("Redis did not answer in time");

export class Producer implements Part {
  readonly #store: JobStore;
  readonly #timeoutMs: number;
  readonly #batcher: Batcher<TimedJob, EnqueueReply | HoldfastError>;

  constructor(store: JobStore, timeoutMs: number) {
    this.#store = store;
    this.#timeoutMs = timeoutMs;
    this.#batcher = new Batcher({
      send: (jobs) => this.#send(jobs),
      maxItems: ENQUEUE_BATCH_JOBS,
      maxBytes: ENQUEUE_BATCH_BYTES,
      maxBatchesInFlight: BATCHES_IN_FLIGHT,
    });
  }

  start(): void {
    // Batches are sent on demand.
  }

  /** @throws EnqueueUnconfirmedError, QueueFullError and what else Redis answers */
  async enqueue(job: NewJob): Promise<EnqueueReply> {
    const { id, envelope, due } = job;
    const deadline = monotonicNow() + this.#timeoutMs;
    const reply = await this.#batcher.add({ id, envelope, due, deadline }, envelope.length);
    if (reply instanceof HoldfastError) {
      throw reply;
    }
    return reply;
  }

  /** Resolves when all jobs taken before are answered for. */
  stop(): Promise<void> {
    return this.#batcher.stop();
  }

  /**
   * Safe to repeat: a stored envelope that comes again is answered as created. Jobs whose time is up leave
   * the batch, the others are tried again.
   */
  async #send(jobs: TimedJob[]): Promise<(EnqueueReply | HoldfastError)[]> {
    const replies = new Map<TimedJob, EnqueueReply | HoldfastError>();
    let open = jobs;
    let lastFailure: Error | undefined;
    for (let failures = 1; open.length > 0; failures += 1) {
      const earliest = Math.min(...open.map(({ deadline }) => deadline));
      const tryMs = Math.max(ENQUEUE_TRY_MIN_MS, Math.ceil(earliest - monotonicNow()));
      try {
        const call = this.#store.enqueue(open, tryMs);
        const answers = await withDeadline(call, tryMs, noAnswer(lastFailure));
        for (const [index, job] of open.entries()) replies.set(job, answers[index]!);
        break;
      } catch (error) {
        const isClosed = error instanceof ClosedError;
        if (!isClosed && !(error instanceof RedisUnavailableError)) {
          throw error;
        }
        lastFailure = error;
        const pauseMs = retryPauseMs(failures);
        const retryAt = isClosed ? Number.POSITIVE_INFINITY : monotonicNow() + pauseMs;
        for (const job of open.filter(({ deadline }) => deadline <= retryAt)) {
          replies.set(
            job,
            new EnqueueUnconfirmedError([job.id], this.#timeoutMs, { cause: error }),
          );
        }
        open = open.filter(({ deadline }) => deadline > retryAt);
        await pause(open.length > 0 ? pauseMs : 0);
      }
    }
    return jobs.map((job) => replies.get(job)!);
  }
}
