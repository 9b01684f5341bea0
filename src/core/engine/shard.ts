/** One shard of a queue: its jobs in Redis, and the batches of new ones on their way there. */
import type { DurableConnection } from "../store/durable-connection.ts";
import type { JobStore } from "../store/job-store.ts";
import type { EnqueueReply, NewJob } from "../store/messages.ts";
import { DurableProducer } from "./durable-producer.ts";
import type { Part } from "./part.ts";
import { Producer } from "./producer.ts";

export class Shard implements Part {
  readonly store: JobStore;
  readonly #producer: Producer;
  readonly #durableProducer: DurableProducer;

  constructor(store: JobStore, durableConnection: DurableConnection, enqueueTimeoutMs: number) {
    this.store = store;
    this.#producer = new Producer(store, enqueueTimeoutMs);
    this.#durableProducer = new DurableProducer(store, durableConnection, enqueueTimeoutMs);
  }

  start(): void {
    // Jobs are sent on demand.
  }

  /** Through the producer that waits for copies, if the job asks for some. */
  enqueue(job: NewJob): Promise<EnqueueReply> {
    const { durability } = job;
    return durability
      ? this.#durableProducer.enqueue({ ...job, durability })
      : this.#producer.enqueue(job);
  }

  /** Resolves when all jobs taken before are answered for. */
  async stop(): Promise<void> {
    await Promise.all([this.#producer.stop(), this.#durableProducer.stop()]);
  }
}

/** Ids, or what has one, by the shard they belong to. */
export function groupByShard<Item>(
  items: readonly Item[],
  shardOf: (item: Item) => Shard,
): Map<Shard, Item[]> {
  const groups = new Map<Shard, Item[]>();
  for (const item of items) {
    const shard = shardOf(item);
    const group = groups.get(shard);
    if (group) {
      group.push(item);
    } else {
      groups.set(shard, [item]);
    }
  }
  return groups;
}
