/** What a queue's parts share, and what its workers and manual claims build on. */
import { QueueTelemetry } from "../../telemetry/queue-telemetry.ts";
import { monotonicNow, settlesWithin } from "../model/clock.ts";
import { ClosedError } from "../model/errors.ts";
import { CLOSE_FLUSH_MS } from "../model/limits.ts";
import type { ResolvedQueueOptions } from "../model/queue-options.ts";
import { Connection } from "../store/connection.ts";
import { DurableConnection } from "../store/durable-connection.ts";
import { JobStore } from "../store/job-store.ts";
import { shardOfId } from "../store/keys.ts";
import { ShardLayout } from "../store/shard-layout.ts";
import { Subscriber } from "../store/subscriber.ts";
import { ConsumerPool } from "./consumer-pool.ts";
import { Shard } from "./shard.ts";

export class QueueCore {
  readonly options: ResolvedQueueOptions;
  /** All of the queue's jobs: each is in the shard that its id tells. */
  readonly shards: readonly Shard[];
  readonly consumers: ConsumerPool;
  readonly telemetry: QueueTelemetry;
  readonly #connection: Connection;
  readonly #durableConnections: readonly DurableConnection[];
  readonly #enqueues = new Set<Promise<unknown>>();
  #closing: Promise<void> | undefined;

  constructor(options: ResolvedQueueOptions) {
    this.options = options;
    this.#connection = new Connection(options);
    this.telemetry = new QueueTelemetry(options, this.#connection.address);
    const layout = new ShardLayout(this.#connection, options);
    // One a shard: shards that waited for each other's copies would run out of time.
    this.#durableConnections = layout.tags.map(() => new DurableConnection(this.#connection));
    this.shards = layout.tags.map((tag, index) => {
      const store = new JobStore(this.#connection, options, layout, tag);
      return new Shard(store, this.#durableConnections[index]!, options.enqueueTimeoutMs);
    });
    this.consumers = new ConsumerPool(this);
  }

  /** Opens the process's subscriber for this Redis; undefined where the queue works without wake-ups. */
  get subscriber(): (() => Subscriber) | undefined {
    return this.options.wakeups ? () => Subscriber.of(this.options, this.#connection) : undefined;
  }

  shardOf(id: string): Shard {
    return this.shards[shardOfId(id, this.shards.length)]!;
  }

  /** @throws ClosedError after a close */
  ensureOpen(): void {
    if (this.#closing) {
      throw new ClosedError(
        `the queue ${JSON.stringify(this.options.name)} is closed: create a new Queue`,
      );
    }
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
      settlesWithin(
        Promise.all(this.shards.map((shard) => shard.stop())),
        flushEndsAt - monotonicNow(),
      ),
      settlesWithin(this.consumers.stop(), CLOSE_FLUSH_MS),
    ]);
    this.telemetry.close();
    for (const connection of this.#durableConnections) connection.close();
    await this.#connection.close();
  }
}
