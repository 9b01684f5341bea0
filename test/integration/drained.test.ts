/** The event "drained": told when the last job has ended, not when a later look happens to find nothing. */
import { expect, onTestFinished, test } from "vitest";
import { type Handler, Queue, type WorkerOptions } from "../../src/index.ts";
import { claim } from "../../src/scripts/generated.ts";
import { startServer } from "../../tools/redis/start-server.ts";
import { gate, type TestQueue, testQueue, testWorker } from "../helpers/holdfast.ts";
import { failOnLeaks } from "../helpers/leak-check.ts";
import { rawRedis, uniqueName } from "../helpers/redis.ts";
import { waitFor } from "../helpers/wait-for.ts";

failOnLeaks();

/** No look happens by itself within a test. */
const patient = { pollIntervalMs: 3_600_000 } satisfies WorkerOptions;

const numbers = (count: number) => Array.from({ length: count }, (_, data) => ({ data }));

/** A worker that notes how many jobs were completed at each "drained". */
async function drainingWorker(
  { queue }: Pick<TestQueue<number, number>, "queue">,
  handler: Handler<number>,
  options: WorkerOptions = {},
) {
  const worker = await testWorker(queue, handler, { ...patient, ...options });
  let completed = 0;
  const drained: number[] = [];
  worker.on("completed", () => (completed += 1));
  worker.on("drained", () => drained.push(completed));
  return { worker, drained };
}

test.each([
  ["fill the last claim", 25, 5],
  ["leave slots free in the last claim", 23, 5],
  ["all fit into one claim", 3, 10],
])("after jobs that %s", async (_, jobs, concurrency) => {
  const scene = testQueue<number>();
  await scene.queue.enqueueMany(numbers(jobs));
  const { drained } = await drainingWorker(scene, () => undefined, { concurrency });
  await waitFor(() => drained.length > 0);
  expect(drained).toEqual([jobs]);
});

test("after jobs that ran on when nothing more was due", async () => {
  const scene = testQueue<number>();
  const held = gate();
  const { worker, drained } = await drainingWorker(scene, () => held.promise, { concurrency: 10 });
  await scene.queue.enqueueMany(numbers(3));
  await waitFor(() => worker.health().running === 3);
  expect(drained).toEqual([]);
  held.resolve();
  await waitFor(() => drained.length > 0);
  expect(drained).toEqual([3]);
});

test("once each time that there was work", async () => {
  const scene = testQueue<number>();
  const { drained } = await drainingWorker(scene, () => undefined, { pollIntervalMs: 10 });
  for (let round = 1; round <= 3; round += 1) {
    await scene.queue.enqueue(round);
    await waitFor(() => drained.length >= round);
  }
  expect(drained).toEqual([1, 2, 3]);
});

test("not while a job that failed is due again, and no wake-up has said so yet", async () => {
  const scene = testQueue<number>({ wakeups: false });
  let tries = 0;
  const handler = () => {
    tries += 1;
    if (tries < 3) throw new Error("not yet");
  };
  const options = { backoff: () => 0, pollIntervalMs: 20 };
  const { drained } = await drainingWorker(scene, handler, { ...options, concurrency: 10 });
  await scene.queue.enqueue(1);
  await waitFor(() => drained.length > 0);
  expect(drained).toEqual([1]);
});

test("not while a job that failed is due again, on a server that had to be told the script", async () => {
  const server = await startServer();
  onTestFinished(() => server.stop());
  const redis = rawRedis(server.url);
  const queue = new Queue<number>(uniqueName("drained"), { connection: server.url });
  onTestFinished(() => queue.close());
  let tries = 0;
  const handler = async () => {
    tries += 1;
    if (tries > 1) return;
    await redis.script("FLUSH");
    await redis.script("LOAD", claim.source); // so that the look runs before the nack
    throw new Error("not yet");
  };
  const options = { backoff: () => 0, concurrency: 1 }; // the next look goes out with the nack
  const { drained } = await drainingWorker({ queue }, handler, options);
  await queue.enqueue(1);
  await waitFor(() => drained.length > 0);
  expect(drained).toEqual([1]);
});

test("not when the worker closes, and not where it found no work", async () => {
  const scene = testQueue<number>();
  const held = gate();
  const { worker, drained } = await drainingWorker(scene, () => held.promise);
  await scene.queue.enqueue(1);
  await waitFor(() => worker.health().running === 1);
  const closed = worker.close();
  held.resolve();
  await closed;
  const other = await drainingWorker(scene, () => undefined, { pollIntervalMs: 10 });
  const age = () => other.worker.health().lastLookAgeMs;
  await waitFor(() => age() !== undefined);
  expect([...drained, ...other.drained]).toEqual([]);
});
