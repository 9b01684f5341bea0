/**
 * Runs single scripts on a queue of their own and looks at everything they leave behind. Tests never
 * wait: `moveTime` shifts what is stored instead, so that the scripts need no clock of a test's.
 */
import { deepStrictEqual } from "node:assert/strict";
import type { Redis } from "ioredis";
import { expect, onTestFinished, TestRunner } from "vitest";
import { resolveQueueOptions } from "../../src/core/model/queue-options.ts";
import { Connection } from "../../src/core/store/connection.ts";
import type { RedisArgument } from "../../src/core/store/client.ts";
import { type KeyPart, queueKeys, wakeChannelPrefix } from "../../src/core/store/keys.ts";
import type { QueueKeys } from "../../src/core/store/keys.ts";
import { ScriptRunner } from "../../src/core/store/script-runner.ts";
import type { CallOptions, ScriptArguments } from "../../src/core/store/script-runner.ts";
import type { ScriptDefinition } from "../../src/scripts/definition.ts";
import { rawRedis, uniqueName } from "./redis.ts";
import { breachesOf, changesBetween, readSnapshot, shiftTimes } from "./script-state.ts";
import type { Changes, Snapshot } from "./script-state.ts";

export interface Watched {
  readonly reply: unknown;
  /** What the call changed, in all nine keys. */
  readonly changes: Changes;
  /** Redis's clock just before and just after, in ms. */
  readonly from: number;
  readonly to: number;
}

interface PlantedJob {
  /** `envelope of <id>` unless given. */
  readonly envelope?: string | Buffer;
  readonly attempts?: number | string;
  readonly error?: string;
}

/** What an id may hold besides letters: separators, line ends, NUL, names of objects, 128 bytes, leases. */
export const HOSTILE_IDS: readonly string[] = [
  "a",
  "a:1",
  "a:1:1",
  ":",
  "::7",
  "line\nfeed\r\n",
  "{tag}{",
  "nul\0byte",
  "__proto__",
  "constructor",
  "😀".repeat(32),
  " ",
  "%d+$",
  "(1",
  "-inf",
  "1e3",
];

/** A client for all tests of a file: opened while it is collected, and closed after it. */
const sharedClient = TestRunner.getCurrentTest() === undefined ? rawRedis() : undefined;

/** A queue that no other test uses. Its keys go when the test is over. */
export function openQueue(client: Redis = sharedClient ?? rawRedis()): TestQueue {
  const queue = new TestQueue(client);
  onTestFinished(() => queue.clear());
  return queue;
}

export class TestQueue {
  readonly client: Redis;
  readonly keys: QueueKeys;
  readonly wakeChannel: string;
  readonly #runner: ScriptRunner;

  constructor(client: Redis) {
    const name = uniqueName("scripts");
    const prefix = "holdfast-test";
    this.client = client;
    this.keys = queueKeys(prefix, name);
    this.wakeChannel = wakeChannelPrefix(prefix, name);
    const connection = new Connection(resolveQueueOptions(name, { connection: client, prefix }));
    onTestFinished(() => connection.close());
    this.#runner = new ScriptRunner(connection, this.keys);
  }

  /** Calls a script and checks the invariant after it. */
  async run<S extends ScriptDefinition>(
    script: S,
    args: ScriptArguments<S>,
    list: readonly RedisArgument[] = [],
    options: CallOptions = {},
  ): Promise<unknown> {
    const reply = await this.runOnBreach(script, args, list, options);
    await this.checkInvariant();
    return reply;
  }

  /** Calls a script where a test has planted a breach of the invariant. */
  runOnBreach<S extends ScriptDefinition>(
    script: S,
    args: ScriptArguments<S>,
    list: readonly RedisArgument[] = [],
    options: CallOptions = {},
  ): Promise<unknown> {
    return this.#runner.run(script, args, { ...options, list });
  }

  async watch(call: () => Promise<unknown>): Promise<Watched> {
    const before = await this.snapshot();
    const from = await this.nowMs();
    const reply = await call();
    const to = await this.nowMs();
    return { reply, changes: changesBetween(before, await this.snapshot()), from, to };
  }

  snapshot(): Promise<Snapshot> {
    return readSnapshot(this.client, this.keys);
  }

  async checkInvariant(): Promise<void> {
    deepStrictEqual(breachesOf(await this.snapshot()), [], "the invariant of the queue's keys");
  }

  /** The members or fields of one key, with their scores or values. */
  async part(part: KeyPart): Promise<Map<string, string>> {
    return (await this.snapshot())[part].entries;
  }

  async nowMs(): Promise<number> {
    const [seconds, microseconds] = await this.client.time();
    return Number(seconds) * 1_000 + Math.floor(Number(microseconds) / 1_000);
  }

  /** As if `ms` milliseconds had passed. */
  moveTime(ms: number): Promise<void> {
    return shiftTimes(this.client, this.keys, ms);
  }

  /** Puts a job into `delayed`, due `inMs` from now. Each `plant` answers with the score it wrote. */
  async plantDelayed(id: string, inMs = 0, job: PlantedJob = {}): Promise<number> {
    await this.plantJob(id, job);
    return this.plantScore("delayed", id, inMs);
  }

  /** Puts a job into `processing`, under a lease that ends `inMs` from now. */
  async plantHeld(id: string, token: number, inMs = 30_000, job: PlantedJob = {}): Promise<number> {
    await this.plantJob(id, job);
    return this.plantScore("processing", `${id}:${token}`, inMs);
  }

  /** Puts a job into `dead`, as of `inMs` from now. */
  async plantDead(id: string, inMs = 0, job: PlantedJob = {}): Promise<number> {
    await this.plantJob(id, job);
    return this.plantScore("dead", id, inMs);
  }

  /** Says that a worker looks next `inMs` from now. */
  plantWaiting(workerId: string, inMs: number): Promise<number> {
    return this.plantScore("waiting", workerId, inMs);
  }

  async plantScore(part: KeyPart, member: string, inMs: number): Promise<number> {
    const score = (await this.nowMs()) + inMs;
    await this.client.zadd(this.keys[part], score, member);
    return score;
  }

  async plantJob(id: string, job: PlantedJob): Promise<void> {
    const { jobs, attempts, errors } = this.keys;
    const pipeline = this.client.pipeline();
    pipeline.hset(jobs, id, job.envelope ?? `envelope of ${id}`);
    if (job.attempts !== undefined) pipeline.hset(attempts, id, job.attempts);
    if (job.error !== undefined) pipeline.hset(errors, id, job.error);
    await pipeline.exec();
  }

  /** All plants at once, over the one connection. */
  async plantMany(ids: readonly string[], plant: (id: string) => Promise<unknown>): Promise<void> {
    await Promise.all(ids.map(plant));
  }

  async clear(): Promise<void> {
    await this.client.del(Object.values(this.keys) as string[]);
  }
}

/** Whether a time that Redis chose lies in the span in which it must have chosen it. */
export function expectWithin(value: unknown, low: number, high: number): void {
  expect(Number.isSafeInteger(Number(value)), `${String(value)} is whole milliseconds`).toBe(true);
  expect(Number(value)).toBeGreaterThanOrEqual(low);
  expect(Number(value)).toBeLessThanOrEqual(high);
}

/** `count` ids that sort in their order. */
export function manyIds(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `job-${String(index).padStart(4, "0")}`);
}
