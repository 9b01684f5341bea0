/** A large queue on which single script calls are timed, and what their preparations share. */
import { resolveQueueOptions } from "../../src/core/model/queue-options.ts";
import * as limits from "../../src/core/model/limits.ts";
import { AuditStore } from "../../src/core/store/audit-store.ts";
import { Connection } from "../../src/core/store/connection.ts";
import { JobStore } from "../../src/core/store/job-store.ts";
import { ShardLayout } from "../../src/core/store/shard-layout.ts";
import { queueKeys } from "../../src/core/store/keys.ts";
import { ScriptRunner } from "../../src/core/store/script-runner.ts";
import * as scripts from "../../src/scripts/generated.ts";
import type { LeaseKey, NewJob } from "../../src/core/store/messages.ts";
import type { BenchQueue } from "./bench-queue.ts";
import type { BenchServer } from "./bench-server.ts";

export const payloadBytes = 166;
export const dayMs = 24 * 60 * 60 * 1_000;
const callTimeoutMs = 30_000;
const callsTogether = 8;
/** Some room below the bound, for the leases that a case adds. */
const heldJobs = limits.MEND_MAX_LEASES - limits.ADMIN_BATCH_JOBS;
const deadJobs = 10_000;
const workerId = "bench-worker";

export class ScriptWorld {
  readonly store: JobStore;
  readonly audit: AuditStore;
  readonly keys;
  readonly server: BenchServer;
  /** Some of the jobs that are delayed for long. */
  readonly delayedIds: string[] = [];
  readonly #options;
  readonly #connection: Connection;
  readonly #runner: ScriptRunner;
  #ids = 0;
  #requests = 0;

  constructor(server: BenchServer, queue: BenchQueue) {
    this.server = server;
    this.#options = resolveQueueOptions(queue.target.queue, {
      connection: server.url,
      prefix: queue.target.prefix,
    });
    this.#connection = new Connection(this.#options);
    this.store = this.freshStore();
    this.keys = queueKeys(queue.target.prefix, queue.target.queue);
    this.#runner = new ScriptRunner(this.#connection, this.keys);
    this.audit = new AuditStore(this.#connection, this.#runner);
  }

  /** A store that has not checked the queue yet. */
  freshStore(): JobStore {
    const layout = new ShardLayout(this.#connection, this.#options);
    return new JobStore(this.#connection, this.#options, layout, this.#options.name);
  }

  async fill(jobs: number, progress: (text: string) => void): Promise<void> {
    const stepJobs = limits.ENQUEUE_BATCH_JOBS * callsTogether;
    for (let filled = 0; filled < jobs; filled += stepJobs) {
      progress(`${filled.toLocaleString("en-US")} of ${jobs.toLocaleString("en-US")} jobs stored`);
      const size = Math.min(stepJobs, jobs - filled);
      await this.enqueue(this.newJobs(size, () => `+${Math.ceil(dayMs * (1 + Math.random()))}`));
    }
    progress("leases and dead letters");
    await this.bury(deadJobs);
    await this.lease(heldJobs);
  }

  newJobs(count: number, due: () => string, bytes = payloadBytes): NewJob[] {
    // Like the library's own ids: 24 characters, sorted by time.
    return Array.from({ length: count }, () => {
      this.#ids += 1;
      const id = `bench${String(this.#ids).padStart(19, "0")}`;
      return { id, envelope: "x".repeat(bytes), due: due() };
    });
  }

  /** In one call. Answers how many are new. */
  async enqueueBatch(jobs: readonly NewJob[]): Promise<number> {
    const replies = await this.store.enqueue(jobs, callTimeoutMs);
    return replies.filter(({ isCreated }) => isCreated).length;
  }

  async enqueue(jobs: readonly NewJob[]): Promise<string[]> {
    await Promise.all(
      slices(jobs, limits.ENQUEUE_BATCH_JOBS).map((slice) => this.enqueueBatch(slice)),
    );
    const ids = jobs.map(({ id }) => id);
    if (this.delayedIds.length < limits.ADMIN_BATCH_JOBS) {
      this.delayedIds.push(...ids);
    }
    return ids;
  }

  claim(maxJobs = limits.CLAIM_BATCH_JOBS, visibilityTimeoutMs = dayMs) {
    this.#requests += 1;
    return this.store.claim({
      workerId,
      request: this.#requests,
      maxJobs,
      visibilityTimeoutMs,
      pollIntervalMs: 5_000,
      comesBack: false,
    });
  }

  /** Notes the number of shards that is noted already. */
  async reshard(): Promise<number> {
    return Number(await this.#runner.run(scripts.reshard, { note: 1, from: 1 }));
  }

  get workerId(): string {
    return workerId;
  }

  /** New jobs that are held. */
  async lease(count: number, visibilityTimeoutMs = dayMs): Promise<LeaseKey[]> {
    await this.enqueue(this.newJobs(count, () => "+0"));
    const leases: LeaseKey[] = [];
    while (leases.length < count) {
      const maxJobs = Math.min(limits.CLAIM_BATCH_JOBS, count - leases.length);
      const { jobs, token } = await this.claim(maxJobs, visibilityTimeoutMs);
      if (jobs.length === 0) {
        throw new Error("a claim found none of the jobs that were just enqueued");
      }
      leases.push(...jobs.map(({ id }) => ({ id, token })));
    }
    return leases;
  }

  /** New jobs that are dead. */
  async bury(count: number): Promise<string[]> {
    const leases = await this.lease(count);
    for (const slice of slices(leases, limits.SETTLE_BATCH_JOBS)) {
      await this.store.bury(
        slice.map(({ id, token }) => ({ id, token, counts: true, reason: longError })),
      );
    }
    return leases.map(({ id }) => id);
  }

  /** Takes out whatever is due, so that the next case finds none of it. */
  async drain(): Promise<void> {
    for (;;) {
      const { jobs, token } = await this.claim();
      if (jobs.length === 0) {
        return;
      }
      await this.store.ack(jobs.map(({ id }) => ({ id, token })));
    }
  }

  async close(): Promise<void> {
    await this.#connection.close();
  }
}

export const longError = "e".repeat(limits.MAX_ERROR_LENGTH);

function slices<Item>(items: readonly Item[], size: number): Item[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, index) =>
    items.slice(index * size, (index + 1) * size),
  );
}
