/** Producers and workers at work on several queues while a test does them harm, and the account at the end. */
import { deepStrictEqual } from "node:assert/strict";
import { setTimeout as pause } from "node:timers/promises";
import { onTestFinished } from "vitest";
import { type Connection, HoldfastError, Queue } from "../../src/index.ts";
import { waitFor } from "./wait-for.ts";
import { type WatchedWorker, watchedWorker } from "./watched-worker.ts";

const producersPerQueue = 4;
/** Between two enqueues of one producer: a steady load that leaves the machine room for the rest. */
const enqueueEveryMs = 2;

export interface QueueLoad {
  readonly name: string;
  readonly queue: Queue<number>;
  readonly watched: WatchedWorker<number>;
  /** Ids whose enqueue was confirmed. */
  readonly confirmed: Set<string>;
  /** How often each id ran. */
  readonly runs: Map<string, number>;
  /** What enqueues failed with; each was repeated under the same id. */
  readonly refusals: unknown[];
}

export interface Account {
  readonly confirmed: number;
  /** Confirmed ids that never ran. None of them is in Redis any more. */
  readonly lost: number;
  /** Runs beyond each id's first. */
  readonly duplicates: number;
  /** Enqueues that were refused or unconfirmed, and repeated. */
  readonly refusals: number;
}

export class Load {
  readonly queues: readonly QueueLoad[];
  readonly #producing: Promise<unknown>;
  #isStopped = false;

  /** Producers and one worker for each queue, over two connections. */
  static async start(names: readonly string[], connect: () => Connection): Promise<Load> {
    const queues = names.map((name) => openQueueLoad(name, connect));
    await Promise.all(queues.map(({ watched }) => watched.worker.start()));
    const load = new Load(queues);
    onTestFinished(() => load.#stop());
    return load;
  }

  private constructor(queues: readonly QueueLoad[]) {
    this.queues = queues;
    this.#producing = Promise.all(
      queues.flatMap((each) =>
        Array.from({ length: producersPerQueue }, (_, producer) => this.#produce(each, producer)),
      ),
    );
  }

  of(name: string): QueueLoad {
    return this.queues.find((each) => each.name === name)!;
  }

  /** Resolves once `count` more enqueues are confirmed, and as many more jobs have run, on each queue. */
  async goesOn(
    names: readonly string[] = this.queues.map(({ name }) => name),
    count = 50,
  ): Promise<void> {
    await Promise.all(
      names.map(async (name) => {
        const { confirmed, runs } = this.of(name);
        const [enqueued, ran] = [confirmed.size + count, runs.size + count];
        const what = `${count} more jobs enqueued and run on ${name}`;
        await waitFor(() => confirmed.size >= enqueued && runs.size >= ran, {
          timeoutMs: 45_000,
          what,
        });
      }),
    );
  }

  /** Resolves once a job was enqueued and one has run on each of these queues, with the ms it took. */
  async recovers(names: readonly string[]): Promise<number> {
    const startedAt = performance.now();
    await this.goesOn(names, 1);
    return Math.round(performance.now() - startedAt);
  }

  /** Stops the producers, waits until all queues are empty, and checks and counts what came of it. */
  async settle(): Promise<Map<string, Account>> {
    await this.#stop();
    const accounts = new Map<string, Account>();
    for (const { name, queue, confirmed, runs, refusals } of this.queues) {
      await waitFor(() => isDrained(queue), { timeoutMs: 45_000, what: `${name} is drained` });
      const { isSound, jobs } = await queue.verify();
      deepStrictEqual({ isSound, jobs }, { isSound: true, jobs: 0 }, `the audit of ${name}`);
      const counts = [...runs.values()];
      accounts.set(name, {
        confirmed: confirmed.size,
        lost: [...confirmed].filter((id) => !runs.has(id)).length,
        duplicates: counts.reduce((sum, count) => sum + count - 1, 0),
        refusals: refusals.length,
      });
    }
    return accounts;
  }

  async #stop(): Promise<void> {
    this.#isStopped = true;
    await this.#producing;
  }

  async #produce(load: QueueLoad, producer: number): Promise<void> {
    const { queue, confirmed, refusals } = load;
    for (let n = 0; !this.#isStopped; n += 1) {
      const id = `${producer}-${n}`;
      for (let isConfirmed = false; !isConfirmed;) {
        try {
          await queue.enqueue(n, { id });
          confirmed.add(id);
          isConfirmed = true;
        } catch (error) {
          refusals.push(error);
          if (!(error instanceof HoldfastError && error.retryable)) throw error;
          if (this.#isStopped) return;
        }
      }
      await pause(enqueueEveryMs);
    }
  }
}

function openQueueLoad(name: string, connect: () => Connection): QueueLoad {
  const open = () => {
    const queue = new Queue<number>(name, { connection: connect() });
    onTestFinished(() => queue.close());
    return queue;
  };
  const runs = new Map<string, number>();
  const watched = watchedWorker<number>(
    open(),
    ({ id }) => void runs.set(id, (runs.get(id) ?? 0) + 1),
    { concurrency: 10, visibilityTimeoutMs: 5_000, pollIntervalMs: 1_000 },
  );
  return { name, queue: open(), watched, confirmed: new Set(), runs, refusals: [] };
}

async function isDrained(queue: Queue<number>): Promise<boolean> {
  try {
    const { delayed, due, processing } = await queue.stats();
    return delayed + due + processing === 0;
  } catch (error) {
    if (error instanceof HoldfastError && error.retryable) return false;
    throw error;
  }
}

/** For whoever reads the tests' output: what a fault cost. */
export function tell(fault: string, accounts: Map<string, Account>): void {
  const sum = (part: keyof Account) =>
    [...accounts.values()].reduce((total, account) => total + account[part], 0);
  process.stdout.write(
    `${fault}: ${sum("confirmed")} enqueues confirmed, ${sum("lost")} lost, ` +
      `${sum("duplicates")} ran twice, ${sum("refusals")} enqueues repeated by their caller\n`,
  );
}
