/** Sends new jobs in batches, and repeats a batch without an answer until its time is up. */
import { untraced } from "../../telemetry/contexts.ts";
import {
  BATCHES_IN_FLIGHT,
  ENQUEUE_BATCH_BYTES,
  ENQUEUE_BATCH_JOBS,
  FULL_BATCHES_IN_FLIGHT,
} from "../model/limits.ts";
import type { JobStore } from "../store/job-store.ts";
import type { EnqueueReply, NewJob } from "../store/messages.ts";
import { Batcher } from "./batcher.ts";
import { sendUntilAnswered, timedJob, type TimedJob } from "./enqueue-tries.ts";
import type { Part } from "./part.ts";

export class Producer implements Part {
  readonly #timeoutMs: number;
  readonly #batcher: Batcher<TimedJob, EnqueueReply>;

  constructor(store: JobStore, timeoutMs: number) {
    this.#timeoutMs = timeoutMs;
    this.#batcher = new Batcher({
      send: (jobs) =>
        untraced(() => sendUntilAnswered(jobs, (open, tryMs) => store.enqueue(open, tryMs))),
      maxItems: ENQUEUE_BATCH_JOBS,
      maxBytes: ENQUEUE_BATCH_BYTES,
      maxBatchesInFlight: BATCHES_IN_FLIGHT,
      maxFullBatchesInFlight: FULL_BATCHES_IN_FLIGHT,
    });
  }

  start(): void {
    // Batches are sent on demand.
  }

  /** @throws EnqueueUnconfirmedError, QueueFullError and what else Redis answers */
  enqueue(job: NewJob): Promise<EnqueueReply> {
    return this.#batcher.add(timedJob(job, this.#timeoutMs), job.envelope.length);
  }

  /** Resolves when all jobs taken before are answered for. */
  stop(): Promise<void> {
    return this.#batcher.stop();
  }
}
