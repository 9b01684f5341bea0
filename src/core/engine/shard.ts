/** One shard of a queue: its jobs in Redis, and the batches of new ones on their way there. */
import type { JobStore } from "../store/job-store.ts";
import { Producer } from "./producer.ts";

export class Shard {
  readonly store: JobStore;
  readonly producer: Producer;

  constructor(store: JobStore, enqueueTimeoutMs: number) {
    this.store = store;
    this.producer = new Producer(store, enqueueTimeoutMs);
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
