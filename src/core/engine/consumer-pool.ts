/** Manual claims: each runs on a consumer of its own, since a consumer makes one claim at a time. */
import { OverloadedError } from "../model/errors.ts";
import { MAX_CONCURRENT_CLAIMS } from "../model/limits.ts";
import type { ResolvedClaimOptions } from "../model/worker-options.ts";
import { type ClaimTask, Consumer } from "./consumer.ts";
import { Extender } from "./extender.ts";
import type { Delivery } from "./manual-delivery.ts";
import type { Part } from "./part.ts";
import type { QueueCore } from "./queue-core.ts";
import { Settler } from "./settler.ts";
import type { LeaseCalls } from "./shard-claims.ts";

export class ConsumerPool implements Part {
  readonly #core: QueueCore;
  readonly #idle: Consumer[] = [];
  readonly #busy = new Set<Consumer>();
  #leaseCalls: readonly LeaseCalls[] | undefined;

  constructor(core: QueueCore) {
    this.#core = core;
  }

  start(): void {
    // Consumers are made on demand.
  }

  /** @throws OverloadedError if too many claims wait already */
  async claim<T>(options: ResolvedClaimOptions): Promise<Delivery<T>[]> {
    const claiming = this.#core.telemetry.startClaim();
    try {
      const deliveries = await this.#claim<T>({ ...options, telemetry: claiming });
      claiming?.end(deliveries.length);
      return deliveries;
    } catch (error) {
      claiming?.fail(error);
      throw error;
    }
  }

  /** Ends all waits, and takes the consumers' names out of Redis. */
  async stop(): Promise<void> {
    const consumers = [...this.#busy, ...this.#idle.splice(0)];
    await Promise.allSettled(consumers.map((consumer) => consumer.stop()));
    const calls = this.#leaseCalls?.flatMap(({ settler, extender }) => [settler, extender]) ?? [];
    await Promise.all(calls.map((part) => part.stop()));
  }

  async #claim<T>(task: ClaimTask): Promise<Delivery<T>[]> {
    if (this.#busy.size >= MAX_CONCURRENT_CLAIMS) {
      throw new OverloadedError(
        `${MAX_CONCURRENT_CLAIMS} claims wait on this queue object already: claim more jobs at a time (max)`,
      );
    }
    // A delivery's own calls report their failures to their caller, so the settler has none to report.
    this.#leaseCalls ??= this.#core.shards.map(({ store }) => ({
      settler: new Settler(store, () => undefined),
      extender: new Extender(store),
    }));
    const consumer = this.#idle.pop() ?? new Consumer(this.#core, this.#leaseCalls);
    this.#busy.add(consumer);
    try {
      return await consumer.claim<T>(task);
    } finally {
      this.#busy.delete(consumer);
      this.#idle.push(consumer);
    }
  }
}
