import type { Redis } from "ioredis";
import { onTestFinished } from "vitest";
import {
  type Handler,
  Queue,
  type QueueOptions,
  Worker,
  type WorkerOptions,
} from "../../src/index.ts";
import { queueKeys, type QueueKeys } from "../../src/core/store/keys.ts";
import { rawRedis, testConnection, uniqueName } from "./redis.ts";

/** A queue of the test's own, closed after it, with a look behind the curtain. */
export interface TestQueue<Input, Output> {
  readonly queue: Queue<Input, Output>;
  /** A plain client on the same server or cluster. */
  readonly redis: Redis;
  readonly keys: QueueKeys;
  /** Same queue, other object: as another process would have it. */
  another(options?: QueueOptions<Input, Output>): Queue<Input, Output>;
  /** Shifts all scores back: the same as time having passed. */
  passTime(ms: number): Promise<void>;
}

export function testQueue<Input = unknown, Output = Input>(
  options: QueueOptions<Input, Output> = {},
  label = "test",
): TestQueue<Input, Output> {
  const name = uniqueName(label);
  const connection = testConnection();
  const redis = rawRedis();
  const open = (more: QueueOptions<Input, Output> = {}) => {
    const queue = new Queue<Input, Output>(name, { connection, ...options, ...more });
    onTestFinished(() => queue.close());
    return queue;
  };
  const keys = queueKeys(options.prefix ?? "holdfast", name);
  onTestFinished(async () => {
    await redis.del(...Object.values(keys));
  });
  const passTime = async (ms: number) => {
    for (const key of [keys.delayed, keys.processing, keys.waiting]) {
      const members = await redis.zrange(key, 0, "-1");
      if (members.length > 0) {
        const pipeline = redis.pipeline();
        // Only what is still there: a worker may have taken it out since.
        for (const member of members) pipeline.zadd(key, "XX", "INCR", -ms, member);
        await pipeline.exec();
      }
    }
  };
  return { queue: open(), redis, keys, another: open, passTime };
}

/** A started worker, closed after the test without waiting for its handlers. */
export async function testWorker<T>(
  queue: ConstructorParameters<typeof Worker<T>>[0],
  handler: Handler<T>,
  options: WorkerOptions = {},
): Promise<Worker<T>> {
  const worker = new Worker<T>(queue, handler, options);
  onTestFinished(async () => {
    await worker.close({ timeoutMs: 0 });
  });
  await worker.start();
  return worker;
}

/** A promise and its handles, to hold a handler until the test lets it go. */
export interface Gate<T> {
  promise: Promise<T>;
  resolve: (value: T | PromiseLike<T>) => void;
  reject: (reason?: unknown) => void;
}

export function gate<T = void>(): Gate<T> {
  let resolve!: (value: T | PromiseLike<T>) => void;
  let reject!: (reason?: unknown) => void;
  const promise = new Promise<T>((onResolve, onReject) => {
    resolve = onResolve;
    reject = onReject;
  });
  return { promise, resolve, reject };
}

/** Collects values until `count` are there. */
export function collector<T>(count: number): {
  values: T[];
  add: (value: T) => void;
  full: Promise<T[]>;
} {
  const { promise, resolve } = gate<T[]>();
  const values: T[] = [];
  return {
    values,
    full: promise,
    add: (value) => {
      values.push(value);
      if (values.length === count) resolve(values);
    },
  };
}
