/** What a queue's calls answer. */
import type { EnqueueOptions } from "./model/enqueue-options.ts";
import type { EnqueueReply } from "./store/messages.ts";

/** What became of an `enqueue`. */
export type EnqueueResult =
  | { readonly id: string; readonly status: "created"; readonly dueAt: Date }
  | {
      readonly id: string;
      /** The id was taken: the stored job stays as it is. */
      readonly status: "duplicate";
      /** When the stored job is due; undefined once it is no longer delayed. */
      readonly dueAt: Date | undefined;
    };

/** One job of an `enqueueMany`. */
export interface NewJobItem<Input> extends EnqueueOptions {
  readonly data: Input;
}

/** How many jobs are where, and what became of those before. */
export interface QueueStats {
  /** Not yet due. */
  readonly delayed: number;
  /** Due, and not claimed. */
  readonly due: number;
  /** Claimed, and not settled. */
  readonly processing: number;
  /** Dead letters. */
  readonly dead: number;
  /** How long the oldest due job has been waiting, in milliseconds; undefined if none is due. */
  readonly oldestDueAgeMs: number | undefined;
  /** Whether claims are stopped; where there are shards, of any of them. */
  readonly paused: boolean;
  /** Workers with free slots that wait for work. */
  readonly waitingWorkers: number;
  /** Running totals since the queue began. enqueued = completed + cancelled + purged + what is there now. */
  readonly totals: {
    readonly enqueued: number;
    readonly completed: number;
    /** Failed attempts whose jobs went back to run again; releases do not count. */
    readonly retried: number;
    /** Leases that expired. */
    readonly expired: number;
    readonly buried: number;
    readonly redriven: number;
    readonly cancelled: number;
    readonly purged: number;
  };
}

export function enqueueResult(id: string, { isCreated, dueAtMs }: EnqueueReply): EnqueueResult {
  const dueAt = dueAtMs === undefined ? undefined : new Date(dueAtMs);
  return isCreated
    ? { id, status: "created", dueAt: dueAt as Date }
    : { id, status: "duplicate", dueAt };
}

/** @param counts as `stats.lua` lists them */
export function queueStats(counts: readonly number[]): QueueStats {
  const count = (at: number) => counts[at] ?? 0;
  return {
    delayed: count(0),
    due: count(1),
    processing: count(2),
    dead: count(3),
    oldestDueAgeMs: count(4) < 0 ? undefined : count(4),
    paused: count(5) === 1,
    waitingWorkers: count(6),
    totals: {
      enqueued: count(7),
      completed: count(8),
      retried: count(9),
      expired: count(10),
      buried: count(11),
      redriven: count(12),
      cancelled: count(13),
      purged: count(14),
    },
  };
}

/** The counts of all shards. Paused while any of them is: a pause or its end may have failed halfway. */
export function mergeStats(shards: readonly QueueStats[]): QueueStats {
  const ages = shards.flatMap(({ oldestDueAgeMs }) => oldestDueAgeMs ?? []);
  const sum = (count: (stats: QueueStats) => number) =>
    shards.reduce((total, stats) => total + count(stats), 0);
  const total = (name: keyof QueueStats["totals"]) => sum(({ totals }) => totals[name]);
  return {
    delayed: sum(({ delayed }) => delayed),
    due: sum(({ due }) => due),
    processing: sum(({ processing }) => processing),
    dead: sum(({ dead }) => dead),
    oldestDueAgeMs: ages.length > 0 ? Math.max(...ages) : undefined,
    paused: shards.some(({ paused }) => paused),
    // A worker waits on every shard.
    waitingWorkers: Math.max(...shards.map(({ waitingWorkers }) => waitingWorkers)),
    totals: {
      enqueued: total("enqueued"),
      completed: total("completed"),
      retried: total("retried"),
      expired: total("expired"),
      buried: total("buried"),
      redriven: total("redriven"),
      cancelled: total("cancelled"),
      purged: total("purged"),
    },
  };
}
