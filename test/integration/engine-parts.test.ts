/** Every long-lived part survives any order of start and stop. */
import { describe, onTestFinished, test } from "vitest";
import { Batcher } from "../../src/core/engine/batcher.ts";
import { Claimer } from "../../src/core/engine/claimer.ts";
import { ConsumerPool } from "../../src/core/engine/consumer-pool.ts";
import { Consumer } from "../../src/core/engine/consumer.ts";
import { DurableProducer } from "../../src/core/engine/durable-producer.ts";
import { Executor } from "../../src/core/engine/executor.ts";
import { Extender } from "../../src/core/engine/extender.ts";
import { LeaseKeeper } from "../../src/core/engine/lease-keeper.ts";
import type { Part } from "../../src/core/engine/part.ts";
import { Producer } from "../../src/core/engine/producer.ts";
import { QueueCore } from "../../src/core/engine/queue-core.ts";
import { Reaper } from "../../src/core/engine/reaper.ts";
import { Settler } from "../../src/core/engine/settler.ts";
import { type LeaseCalls, ShardClaims } from "../../src/core/engine/shard-claims.ts";
import { ShardWorker } from "../../src/core/engine/shard-worker.ts";
import { Slots } from "../../src/core/engine/slots.ts";
import { Waker } from "../../src/core/engine/waker.ts";
import { fixed } from "../../src/core/model/backoff.ts";
import { resolveQueueOptions } from "../../src/core/model/queue-options.ts";
import { resolveWorkerOptions } from "../../src/core/model/worker-options.ts";
import { Connection } from "../../src/core/store/connection.ts";
import { DurableConnection } from "../../src/core/store/durable-connection.ts";
import type { JobStore } from "../../src/core/store/job-store.ts";
import { failOnLeaks } from "../helpers/leak-check.ts";
import { testConnection, uniqueName } from "../helpers/redis.ts";

failOnLeaks();

type MakePart = (core: QueueCore & { store: JobStore }) => Part;

const failure = (error: unknown) => {
  throw error;
};
const worker = resolveWorkerOptions({ visibilityTimeoutMs: 200, pollIntervalMs: 50 });
const nothing = () => undefined;

function newExecutor({ options, telemetry }: QueueCore): Executor {
  return new Executor({
    telemetry,
    workerId: uniqueName("w"),
    rules: options,
    worker,
    handler: nothing,
    onSlotFree: nothing,
    onEnd: nothing,
  });
}

function leaseCalls({ store }: { store: JobStore }): LeaseCalls {
  return { settler: new Settler(store, failure), extender: new Extender(store) };
}

const parts: Record<string, MakePart> = {
  Batcher: () =>
    new Batcher({ send: (items) => Promise.resolve(items), maxItems: 1, maxBatchesInFlight: 1 }),
  Claimer: ({ store }) =>
    new Claimer({
      store,
      workerId: uniqueName("w"),
      worker,
      slots: new Slots(() => 1, 1),
      accept: nothing,
      onQuiet: nothing,
      onLook: nothing,
      onFailure: failure,
    }),
  Consumer: (core) => new Consumer(core, [leaseCalls(core)]),
  ConsumerPool: (core) => new ConsumerPool(core),
  DurableProducer: ({ store, options }) =>
    new DurableProducer(store, new DurableConnection(new Connection(options)), 1_000),
  Executor: (core) => newExecutor(core),
  Extender: ({ store }) => new Extender(store),
  LeaseKeeper: ({ store }) =>
    new LeaseKeeper({ store, visibilityTimeoutMs: 200, onError: failure }),
  Producer: ({ store }) => new Producer(store, 1_000),
  Reaper: ({ store }) =>
    new Reaper({
      store,
      visibilityTimeoutMs: 200,
      backoff: fixed({ delayMs: 1 }),
      onExpired: nothing,
      onError: failure,
    }),
  Settler: ({ store }) => new Settler(store, failure),
  ShardClaims: (core) =>
    new ShardClaims(core.store, leaseCalls(core), core, {
      consumerId: uniqueName("w"),
      onWake: nothing,
    }),
  ShardWorker: (core) =>
    new ShardWorker({
      store: core.store,
      telemetry: core.telemetry,
      workerId: uniqueName("w"),
      worker,
      executor: newExecutor(core),
      slots: new Slots(() => 1, 1),
      subscriber: core.subscriber,
      onQuiet: nothing,
      onExpired: nothing,
      onClockJump: failure,
      onError: failure,
    }),
  Waker: ({ store, subscriber }) =>
    new Waker({
      subscriber,
      channel: store.wakeChannel + uniqueName("w"),
      onWake: nothing,
      onError: failure,
    }),
};

describe.each(Object.entries(parts))("%s", (_, make) => {
  function open(): Part {
    const name = uniqueName("lifecycle");
    const core = new QueueCore(resolveQueueOptions(name, { connection: testConnection() }));
    onTestFinished(() => core.close());
    return make(Object.assign(core, { store: core.shards[0]!.store }));
  }

  test("is stopped before it is started", async () => {
    const part = open();
    await part.stop();
    await part.start();
    await part.stop();
  });

  test("is stopped twice, also at the same time", async () => {
    const part = open();
    await part.start();
    await Promise.all([part.stop(), part.stop()]);
    await part.stop();
  });

  test("is stopped while it starts", async () => {
    const part = open();
    const starting = part.start();
    await part.stop();
    await starting;
  });

  test("is started twice", async () => {
    const part = open();
    await Promise.all([part.start(), part.start()]);
    await part.stop();
  });
});
