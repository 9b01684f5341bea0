/** Closing at an awkward moment: no job is left behind under a lease, none starts afterwards. */
import { expect, test } from "vitest";
import type { Queue } from "../../src/index.ts";
import type { FaultProxy } from "../helpers/fault-proxy.ts";
import { callOf, faultyLink } from "../helpers/faulty-link.ts";
import { gate, testQueue } from "../helpers/holdfast.ts";
import { failOnLeaks } from "../helpers/leak-check.ts";
import { waitFor } from "../helpers/wait-for.ts";
import { watchedWorker } from "../helpers/watched-worker.ts";

failOnLeaks();

/** So long that no test could wait for its end. */
const minutes = { visibilityTimeoutMs: 600_000, pollIntervalMs: 600_000 };

/** Through the proxy, and once cut not back before the test has seen it. */
const slowToReturn = ({ port }: FaultProxy) => ({
  connection: { host: "127.0.0.1", port, retryStrategy: () => 1_500 },
});

test("a worker closed after its claim's reply was lost gives those jobs back", async () => {
  const { near, another, proxy } = await faultyLink();
  await near.enqueueMany([{ data: "a" }, { data: "b" }]);
  const ran: string[] = [];
  const { worker } = watchedWorker(
    another(slowToReturn(proxy)),
    (job) => void ran.push(job.data),
    minutes,
  );
  proxy.dropNextReply(callOf("claim"));
  await worker.start();
  // Carried out, and the connection is gone; its subscriber's is there.
  await waitFor(() => proxy.pendingDrops === 0 && proxy.connectionCount === 1);
  const summary = await worker.close({ timeoutMs: 10_000 });
  expect(ran).toEqual([]);
  expect(await near.stats()).toMatchObject({ due: 2, processing: 0 });
  expect(summary).toEqual({ finished: 0, released: 2, abandoned: 0 });
});

test("a queue closed after a manual claim's reply was lost gives those jobs back", async () => {
  const { near, another, proxy } = await faultyLink();
  const claiming = another(slowToReturn(proxy));
  await near.enqueue("a");
  proxy.dropNextReply(callOf("claim"));
  const claimed = claiming.claim({ visibilityTimeoutMs: 600_000 }).catch(() => []);
  await waitFor(() => proxy.pendingDrops === 0 && proxy.connectionCount === 0);
  await claiming.close();
  const { due, processing } = await near.stats();
  const deliveries = await claimed;
  // Either the caller has the job, or Redis has it again.
  expect({ due, processing }).toEqual({
    due: 1 - deliveries.length,
    processing: deliveries.length,
  });
});

test("a job whose payload is still being validated at close is given back, and never run", async () => {
  const validating = gate();
  const go = gate();
  const ran: string[] = [];
  const near = testQueue<string>();
  const { queue } = near;
  await queue.enqueue("x");
  const slow = near.another({
    schema: {
      "~standard": {
        version: 1,
        vendor: "test",
        validate: async (value) => {
          validating.resolve();
          await go.promise;
          return { value: value as string };
        },
      },
    },
  });
  const { worker } = watchedWorker(slow, (job) => void ran.push(job.data), minutes);
  await worker.start();
  await validating.promise;
  const summary = await worker.close({ timeoutMs: 50 });
  go.resolve();
  expect(await queue.stats()).toMatchObject({ due: 1, processing: 0 });
  expect(summary).toEqual({ finished: 0, released: 1, abandoned: 0 });
  expect(ran).toEqual([]);
});

test("a queue closed before its worker does not hold the worker up", async () => {
  const { near, another } = await faultyLink();
  const own: Queue<string> = another();
  const held = gate();
  const never = gate();
  const { worker } = watchedWorker(
    own,
    () => {
      held.resolve();
      return never.promise;
    },
    minutes,
  );
  await worker.start();
  await near.enqueue("x");
  await held.promise;
  await own.close();
  const startedAt = performance.now();
  expect(await worker.close({ timeoutMs: 100 })).toEqual({
    finished: 0,
    released: 0,
    abandoned: 1,
  });
  expect(performance.now() - startedAt).toBeLessThan(100 + 2_000 + 2_000);
  expect(await near.stats()).toMatchObject({ processing: 1 });
});

test("a worker closed by its own handler and listeners closes once", async () => {
  const { near, another } = await faultyLink();
  const summaries: unknown[] = [];
  const { worker, next } = watchedWorker(
    another(),
    () => {
      void worker.close({ timeoutMs: 5_000 }).then((summary) => summaries.push(summary));
    },
    minutes,
  );
  worker.on("completed", () => {
    void worker.close({ timeoutMs: 0 }).then((summary) => summaries.push(summary));
  });
  await worker.start();
  const completed = next("completed");
  await near.enqueue("x");
  await completed;
  await waitFor(() => summaries.length === 2);
  expect(summaries).toEqual([
    { finished: 1, released: 0, abandoned: 0 },
    { finished: 1, released: 0, abandoned: 0 },
  ]);
});
