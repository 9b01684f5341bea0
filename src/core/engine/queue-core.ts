/** What a queue's parts share, and what its workers and manual claims build on. */
import { monotonicNow, settlesWithin } from "../model/clock.ts";
import { ClosedError } from "../model/errors.ts";
import { CLOSE_FLUSH_MS } from "../model/limits.ts";
import type { ResolvedQueueOptions } from "../model/queue-options.ts";
import { Connection } from "../store/connection.ts";
import { DurableConnection } from "../store/durable-connection.ts";
import { JobStore } from "../store/job-store.ts";
import type { EnqueueReply, NewJob } from "../store/messages.ts";
import { Subscriber } from "../store/subscriber.ts";
import { ConsumerPool } from "./consumer-pool.ts";
import { DurableProducer } from "./durable-producer.ts";
import { Producer } from "./producer.ts";

export class QueueCore {
  readonly options: ResolvedQueueOptions;
  readonly store: JobStore;
  readonly consumers: ConsumerPool;
  readonly #connection: Connection;
  readonly #durableConnection: DurableConnection;
  readonly #producer: Producer;
  readonly #durableProducer: DurableProducer;
  readonly #enqueues = new Set<Promise<unknown>>();
  #closing: Promise<void> | undefined;

  constructor(options: ResolvedQueueOptions) {
    this.options = options;
    this.#connection = new Connection(options);
    this.store = new JobStore(this.#connection, options);
    this.#durableConnection = new DurableConnection(this.#connection);
    this.#producer = new Producer(this.store, options.enqueueTimeoutMs);
    this.#durableProducer = new DurableProducer(
      this.store,
      this.#durableConnection,
      options.enqueueTimeoutMs,
    );
    this.consumers = new ConsumerPool(this);
  }

  /** Opens the process's subscriber for this Redis; undefined where the queue works without wake-ups. */
  get subscriber(): (() => Subscriber) | undefined {
    return this.options.wakeups ? () => Subscriber.of(this.options, this.#connection) : undefined;
  }

  /** @throws ClosedError after a close */
  ensureOpen(): void {
    if (this.#closing) {
      throw new ClosedError(
        `the queue ${JSON.stringify(this.options.name)} is closed: create a new Queue`,
      );
    }
  }

  /** Through the producer that waits for copies, if the job asks for some. */
  enqueue(job: NewJob): Promise<EnqueueReply> {
    const { durability } = job;
    return durability
      ? this.#durableProducer.enqueue({ ...job, durability })
      : this.#producer.enqueue(job);
  }

  /** Remembers an enqueue until it ends, for `close` to wait for: its schema may take its time. */
  trackEnqueue<T>(enqueue: Promise<T>): Promise<T> {
    if (this.options.schema) {
      this.#enqueues.add(enqueue);
      const forget = () => this.#enqueues.delete(enqueue);
      enqueue.then(forget, forget);
    }
    return enqueue;
  }

  /** Lets calls that wait for Redis end, for a bounded time, then closes what was opened here. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    const { enqueueTimeoutMs, durability } = this.options;
    const flushMs = Math.max(enqueueTimeoutMs + (durability?.timeoutMs ?? 0), CLOSE_FLUSH_MS);
    const flushEndsAt = monotonicNow() + flushMs;
    await settlesWithin(Promise.allSettled(this.#enqueues), flushMs);
    await Promise.all([
      settlesWithin(this.#producer.stop(), flushEndsAt - monotonicNow()),
      settlesWithin(this.#durableProducer.stop(), flushEndsAt - monotonicNow()),
      settlesWithin(this.consumers.stop(), CLOSE_FLUSH_MS),
    ]);
    this.#durableConnection.close();
    await this.#connection.close();
  }
}
