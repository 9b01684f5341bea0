/** A primary that Sentinels watch dies under load, and its replica takes over. */
import type { RedisOptions } from "ioredis";
import { afterEach, beforeEach, onTestFinished, test } from "vitest";
import { WatchedRedis } from "../../tools/redis/sentinel.ts";
import { Queue } from "../../src/index.ts";
import { collector } from "../helpers/holdfast.ts";
import { Load, tell } from "../helpers/load.ts";
import { uniqueName } from "../helpers/redis.ts";
import { waitFor } from "../helpers/wait-for.ts";
import { watchedWorker } from "../helpers/watched-worker.ts";

let redis: WatchedRedis;
let connection: RedisOptions;

beforeEach(async () => {
  redis = await WatchedRedis.start();
  connection = { sentinels: redis.addresses, name: redis.name };
});
afterEach(() => redis.stop());

test("workers and producers go on by themselves, and the queues stay sound", async () => {
  const names = [uniqueName("sentinel"), uniqueName("sentinel")];
  const load = await Load.start(names, () => connection);
  await load.goesOn();
  await redis.primary.kill("SIGKILL");
  const recoveryMs = await load.recovers(names);
  await redis.waitForFailover();
  await load.goesOn();
  const accounts = await load.settle();
  tell(`a primary under Sentinels killed without WAIT, back after ${recoveryMs} ms`, accounts);
}, 120_000);

test.each([
  ["killed", "SIGKILL"],
  ["silent", "SIGSTOP"],
] as const)(
  "an idle worker hears wake-ups again after its primary was %s",
  async (_, signal) => {
    const queue = new Queue<number>(uniqueName("idle"), { connection });
    onTestFinished(() => queue.close());
    const ran = collector<number>(Infinity);
    const { worker } = watchedWorker<number>(queue, (job) => ran.add(job.data), {
      pollIntervalMs: 600_000,
    });
    await worker.start();
    await waitFor(async () => (await queue.stats()).waitingWorkers === 1);
    const runs = async (data: number) => {
      await waitFor(
        () =>
          queue.enqueue(data).then(
            () => true,
            () => false,
          ),
        { timeoutMs: 20_000 },
      );
      await waitFor(() => ran.values.includes(data), {
        timeoutMs: 20_000,
        what: `job ${data} runs`,
      });
    };
    await runs(1);
    await redis.primary.kill(signal);
    await redis.waitForFailover();
    await runs(2);
    await runs(3);
  },
  90_000,
);
