/**
 * Sends new jobs that wait for copies. One group is on the wire at a time, for WAIT blocks its connection;
 * what is enqueued meanwhile shares the next WAIT with all others of its level.
 */
import { untraced } from "../../telemetry/contexts.ts";
import { monotonicNow } from "../model/clock.ts";
import type { ResolvedDurability } from "../model/durability.ts";
import { DURABLE_GROUP_BYTES, DURABLE_GROUP_JOBS } from "../model/limits.ts";
import type { DurableConnection } from "../store/durable-connection.ts";
import { enqueueDurably } from "../store/durable-enqueue.ts";
import type { JobStore } from "../store/job-store.ts";
import type { EnqueueReply, NewJob } from "../store/messages.ts";
import { Batcher } from "./batcher.ts";
import {
  type EnqueueOutcome,
  sendUntilAnswered,
  timedJob,
  type TimedJob,
} from "./enqueue-tries.ts";
import type { Part } from "./part.ts";

type DurableJob<Job extends NewJob> = Job & { readonly durability: ResolvedDurability };

export class DurableProducer implements Part {
  readonly #store: JobStore;
  readonly #connection: DurableConnection;
  readonly #timeoutMs: number;
  readonly #batcher: Batcher<DurableJob<TimedJob>, EnqueueReply>;

  constructor(store: JobStore, connection: DurableConnection, timeoutMs: number) {
    this.#store = store;
    this.#connection = connection;
    this.#timeoutMs = timeoutMs;
    this.#batcher = new Batcher({
      send: (jobs) => untraced(() => this.#send(jobs)),
      maxItems: DURABLE_GROUP_JOBS,
      maxBytes: DURABLE_GROUP_BYTES,
      maxBatchesInFlight: 1,
      groupOf: ({ durability }) => durability.key,
    });
  }

  start(): void {
    // Groups are sent on demand.
  }

  /** @throws DurabilityError if too few copies are confirmed, and as `Producer.enqueue` does */
  enqueue(job: DurableJob<NewJob>): Promise<EnqueueReply> {
    const { durability, envelope } = job;
    const timed = timedJob(job, this.#timeoutMs + durability.timeoutMs);
    return this.#batcher.add({ ...timed, durability }, envelope.length);
  }

  /** Resolves when all jobs taken before are answered for. */
  stop(): Promise<void> {
    return this.#batcher.stop();
  }

  #send(jobs: readonly DurableJob<TimedJob>[]): Promise<EnqueueOutcome[]> {
    const level = jobs[0]!.durability;
    return sendUntilAnswered(jobs, (open, tryMs) =>
      enqueueDurably(this.#store, this.#connection, open, level, monotonicNow() + tryMs),
    );
  }
}
