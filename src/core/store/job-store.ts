/** One method per script: what it is called with, and what its reply means. */
import * as scripts from "../../scripts/generated.ts";
import { untraced } from "../../telemetry/contexts.ts";
import { monotonicNow } from "../model/clock.ts";
import { RedisUnavailableError } from "../model/errors.ts";
import * as limits from "../model/limits.ts";
import type { ResolvedQueueOptions } from "../model/queue-options.ts";
import { AuditStore } from "./audit-store.ts";
import { claimArguments, claimReply } from "./claim-call.ts";
import type { RedisArgument } from "./client.ts";
import type { Connection } from "./connection.ts";
import { enqueueList, enqueueReplies } from "./enqueue-call.ts";
import { wakeChannelPrefix } from "./keys.ts";
import type {
  ClaimReply,
  ClaimRequest,
  EnqueueReply,
  LeaseKey,
  NewJob,
  PeekedJob,
  SettleResult,
} from "./messages.ts";
import { flatReply, readItems, type Reply, text } from "./replies.ts";
import type { ScriptArguments, ScriptRunner } from "./script-runner.ts";
import type { ShardLayout } from "./shard-layout.ts";

const RESULTS: Readonly<Record<number, SettleResult>> = { 1: "done", 0: "stale", [-1]: "gone" };

export class JobStore {
  readonly wakeChannel: string;
  readonly #connection: Connection;
  readonly #layout: ShardLayout;
  readonly #tag: string;
  readonly #runner: ScriptRunner;
  readonly #asBuffers: boolean;
  #opening: Promise<void> | undefined;
  #isOpen = false;

  /** @param tag the hash tag of the shard whose jobs it stores */
  constructor(
    connection: Connection,
    options: ResolvedQueueOptions,
    layout: ShardLayout,
    tag: string,
  ) {
    this.#connection = connection;
    this.#layout = layout;
    this.#tag = tag;
    this.#runner = layout.runner(tag);
    this.#asBuffers = options.codec.binary === true;
    this.wakeChannel = options.wakeups ? wakeChannelPrefix(options.prefix, tag) : "";
  }

  /** Grows whenever the connection closes: calls around such a moment may have run twice. */
  get connectionEpoch(): number {
    return this.#connection.epoch;
  }

  /**
   * Checks the server and the data once; each other method does so first. A failed check is repeated.
   *
   * @throws UnsafeRedisError, IncompatibleDataError
   */
  open(): Promise<void> {
    this.#opening ??= this.#open();
    return this.#opening;
  }

  #open(): Promise<void> {
    const opening = untraced(() => this.#check()).then(
      () => {
        this.#isOpen = this.#opening === opening; // unless it is in doubt again
      },
      (error: unknown) => {
        if (this.#opening === opening) this.#opening = undefined;
        throw error;
      },
    );
    return opening;
  }

  async enqueue(jobs: readonly NewJob[], timeoutMs: number): Promise<EnqueueReply[]> {
    // Sent in this very turn, so that Redis works while the caller makes the next jobs.
    if (!this.#isOpen) await this.open();
    const options = { list: enqueueList(jobs), timeoutMs };
    const reply = await this.#runner.run(scripts.enqueue, this.#enqueueArguments(), options);
    return this.enqueueReplies(reply, jobs.length);
  }

  /** @throws IncompatibleDataError, RedisUnavailableError, see `enqueue-call.ts` */
  enqueueReplies(reply: unknown, jobs: number): EnqueueReply[] {
    try {
      return enqueueReplies(reply, jobs);
    } catch (error) {
      if (error instanceof RedisUnavailableError) {
        this.#isOpen = false; // the next try looks what has become of the change
        this.#opening = undefined;
      }
      throw error;
    }
  }

  /** What `enqueue` would send, for a pipeline: the script's SHA-1, the number of its keys, keys and arguments. */
  enqueueCommand(jobs: readonly NewJob[]): RedisArgument[] {
    return this.#runner.command(scripts.enqueue, this.#enqueueArguments(), enqueueList(jobs));
  }

  async claim(request: ClaimRequest): Promise<ClaimReply> {
    await this.open();
    const args = claimArguments(request, this.wakeChannel);
    const options = { asBuffers: this.#asBuffers };
    const askedAt = monotonicNow();
    const reply = await this.#runner.run(scripts.claim, args, options);
    return claimReply({ reply, askedAt, answeredAt: monotonicNow() }, request.pollIntervalMs);
  }

  async ack(leases: readonly LeaseKey[]): Promise<SettleResult[]> {
    await this.open();
    const list = leaseList(leases);
    return settleResults("ack", await this.#runner.run(scripts.ack, {}, { list }), leases.length);
  }

  async nack(
    items: readonly (LeaseKey & { delayMs: number; counts: boolean; error: string })[],
  ): Promise<SettleResult[]> {
    await this.open();
    const list = items.flatMap<RedisArgument>((item) => [
      item.id,
      item.token,
      item.delayMs,
      item.counts ? 1 : 0,
      item.error,
    ]);
    const reply = await this.#runner.run(scripts.nack, { wakeChannel: this.wakeChannel }, { list });
    return settleResults("nack", reply, items.length);
  }

  async bury(
    items: readonly (LeaseKey & { counts: boolean; reason: string })[],
  ): Promise<SettleResult[]> {
    await this.open();
    const list = items.flatMap<RedisArgument>((item) => [
      item.id,
      item.token,
      item.counts ? 1 : 0,
      item.reason,
    ]);
    return settleResults("bury", await this.#runner.run(scripts.bury, {}, { list }), items.length);
  }

  /** Per lease, whether it is still in force. */
  async extend(leases: readonly LeaseKey[], visibilityTimeoutMs: number): Promise<boolean[]> {
    await this.open();
    const list = leaseList(leases);
    const reply = await this.#runner.run(scripts.extend, { visibilityTimeoutMs }, { list });
    return flatReply("extend", reply, leases.length).map((value) => Number(value) === 1);
  }

  /** @param delaysMs waits after the first, second, … counted attempt; the last serves for all above */
  async reap(
    delaysMs: readonly number[],
  ): Promise<{ leaseEndsInMs: number | undefined; ids: string[] }> {
    await this.open();
    const args = { maxJobs: limits.REAP_BATCH_JOBS, wakeChannel: this.wakeChannel };
    const reply = flatReply(
      "reap",
      await this.#runner.run(scripts.reap, args, { list: delaysMs }),
      1,
      2,
    );
    const leaseEndsInMs = Number(reply[0]);
    return {
      leaseEndsInMs: leaseEndsInMs < 0 ? undefined : leaseEndsInMs,
      ids: readItems(reply, 1, 2, (at) => text(reply[at])),
    };
  }

  /** Takes a worker's name out, and hands its watch over. */
  async leave(workerId: string): Promise<void> {
    await this.open();
    await this.#runner.run(scripts.leave, { workerId, wakeChannel: this.wakeChannel });
  }

  async cancel(id: string): Promise<string> {
    await this.open();
    return text((await this.#runner.run(scripts.cancel, { id })) as Reply);
  }

  async reschedule(id: string, due: string): Promise<{ status: string; dueAtMs: number }> {
    await this.open();
    const args = { wakeChannel: this.wakeChannel, id, dueText: due };
    const reply = flatReply("reschedule", await this.#runner.run(scripts.reschedule, args), 2);
    return { status: text(reply[0]), dueAtMs: Number(reply[1]) };
  }

  async redrive(ids: readonly string[]): Promise<boolean[]> {
    await this.open();
    const args = { wakeChannel: this.wakeChannel };
    const reply = await this.#runner.run(scripts.redrive, args, { list: ids });
    return flatReply("redrive", reply, ids.length).map((value) => Number(value) === 1);
  }

  async purge(ids: readonly string[]): Promise<boolean[]> {
    await this.open();
    const reply = await this.#runner.run(scripts.purge, {}, { list: ids });
    return flatReply("purge", reply, ids.length).map((value) => Number(value) === 1);
  }

  async pause(): Promise<void> {
    await this.open();
    await this.#runner.run(scripts.pause, {});
  }

  async resume(): Promise<void> {
    await this.open();
    await this.#runner.run(scripts.resume, { wakeChannel: this.wakeChannel });
  }

  /** The numbers in the order in which `stats.lua` lists them. */
  async stats(): Promise<number[]> {
    await this.open();
    return flatReply("stats", await this.#runner.run(scripts.stats, {}), 15).map(Number);
  }

  /** As many of the ids, in order, as fit into one reply: at least one. */
  async peek(ids: readonly string[]): Promise<PeekedJob[]> {
    await this.open();
    const options = { list: ids, asBuffers: this.#asBuffers };
    const reply = flatReply(
      "peek",
      await this.#runner.run(scripts.peek, { maxBytes: limits.REPLY_BYTES }, options),
      5,
      5,
    );
    return readItems(reply, 0, 5, (at) => ({
      state: text(reply[at]) as PeekedJob["state"],
      atMs: Number(reply[at + 1]),
      envelope: reply[at + 2] as string | Buffer,
      failedAttempts: Number(reply[at + 3]),
      lastError: text(reply[at + 4]),
    }));
  }

  async listDead(page: {
    maxJobs: number;
    afterId: string;
    afterMs: number;
    untilMs: number;
  }): Promise<{ id: string; diedAtMs: number }[]> {
    await this.open();
    const reply = flatReply("list-dead", await this.#runner.run(scripts.listDead, page), 0, 2);
    return readItems(reply, 0, 2, (at) => ({
      id: text(reply[at]),
      diedAtMs: Number(reply[at + 1]),
    }));
  }

  /** What an audit works on, once the data is known to be holdfast's. */
  async openAudit(): Promise<AuditStore> {
    await this.open();
    return new AuditStore(this.#connection, this.#runner);
  }

  #enqueueArguments(): ScriptArguments<typeof scripts.enqueue> {
    const shards = this.#layout.tags.length;
    return { wakeChannel: this.wakeChannel, dataVersion: limits.DATA_VERSION, shards };
  }

  async #check(): Promise<void> {
    await this.#connection.ensureSafe();
    await this.#layout.open(this.#tag);
  }
}

/** A loop: `flatMap` makes an array a lease, of which there are very many. */
function leaseList(leases: readonly LeaseKey[]): RedisArgument[] {
  const list: RedisArgument[] = [];
  for (const { id, token } of leases) list.push(id, token);
  return list;
}

function settleResults(script: string, reply: unknown, jobs: number): SettleResult[] {
  // `nack` answers a due time, a large number, where the others answer 1.
  return flatReply(script, reply, jobs).map(
    (value) => RESULTS[Math.min(Number(value), 1)] ?? "gone",
  );
}
