/** Slots move between the nodes of a cluster under load, also those of busy queues. */
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { RedisCluster } from "../../tools/redis/cluster.ts";
import { Queue, RedisUnavailableError } from "../../src/index.ts";
import { clusterClient, moveSlot, nameOn, slotOfQueue } from "../helpers/cluster.ts";
import { gate } from "../helpers/holdfast.ts";
import { Load, tell } from "../helpers/load.ts";
import { waitFor } from "../helpers/wait-for.ts";

let cluster: RedisCluster;

beforeAll(async () => {
  cluster = await RedisCluster.start();
});
afterAll(() => cluster.stop());

test("a busy queue's slot moves there and back: nothing is lost, nobody has to help", async () => {
  const primaries = cluster.nodes.slice(0, 3);
  const names = await Promise.all(primaries.map((primary) => nameOn(cluster, primary)));
  const load = await Load.start(names, () => clusterClient(cluster));
  await load.goesOn();
  const slot = await slotOfQueue(cluster, names[0]!);
  const [home, away] = primaries;
  const { error: errors } = load.of(names[0]!).watched.seen;
  for (const [index, target] of [away!, home!, away!, home!].entries()) {
    await moveSlot(cluster, slot, target, async (movedKeys) => {
      // Once, long enough for calls to give up: some of the queue's keys are here, some are there.
      if (index === 0 && movedKeys === 2) {
        await waitFor(() => errors.length > 0, { what: "a worker that reports the move" });
      }
    });
    expect(await cluster.primaryOf(slot)).toBe(target);
    await load.goesOn();
  }
  const accounts = await load.settle();
  tell("a slot moved four times", accounts);
  expect(errors.every((error) => error instanceof RedisUnavailableError)).toBe(true);
  for (const { lost } of accounts.values()) {
    expect(lost).toBe(0);
  }
}, 120_000);

test("halfway through a move calls wait or fail as retryable, and all go on afterwards", async () => {
  const [home, away] = cluster.nodes;
  const name = await nameOn(cluster, home!);
  const queue = new Queue<number>(name, {
    connection: clusterClient(cluster),
    enqueueTimeoutMs: 60_000,
  });
  onTestFinished(() => queue.close());
  await queue.enqueue(1, { id: "a" });
  const [delivery] = await queue.claim();
  await queue.enqueue(2, { id: "b", delayMs: 600_000 });
  const slot = await slotOfQueue(cluster, name);
  const halfway = gate();
  const go = gate();
  const moving = moveSlot(cluster, slot, away!, async (movedKeys) => {
    if (movedKeys === 2) {
      halfway.resolve();
      await go.promise;
    }
  });
  await halfway.promise;
  await expect(queue.stats()).rejects.toThrow(RedisUnavailableError);
  await expect(queue.get("b")).rejects.toMatchObject({ retryable: true });
  const enqueuing = queue.enqueue(3, { id: "c", delayMs: 600_000 });
  const acking = delivery!.ack();
  go.resolve();
  await moving;
  expect(await enqueuing).toMatchObject({ status: "created" });
  expect(await acking).toBe("done");
  await waitFor(async () => (await queue.stats()).delayed === 2);
  expect(await queue.stats()).toMatchObject({ processing: 0, totals: { completed: 1 } });
  expect(await queue.verify()).toMatchObject({ isSound: true, jobs: 2 });
  await moveSlot(cluster, slot, home!);
  expect(await queue.get("c")).toMatchObject({ data: 3 });
}, 90_000);
