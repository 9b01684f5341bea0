/** What docs/operations.md tells people to do, done: its snippets are run as they stand there. */
import { EventEmitter, once } from "node:events";
import { expect, onTestFinished, test } from "vitest";
import type { Redis } from "ioredis";
import { DeadLetter, Worker } from "../../src/index.ts";
import type { QueueKeys } from "../../src/core/store/keys.ts";
import { gate, testQueue, testWorker } from "../helpers/holdfast.ts";
import { failOnLeaks } from "../helpers/leak-check.ts";
import { runSnippet, snippetsUnder } from "../helpers/runbook.ts";
import { waitFor } from "../helpers/wait-for.ts";

failOnLeaks();

/** A console that keeps what it is given. */
function notes() {
  const printed: unknown[] = [];
  const print = (what: unknown) => void printed.push(what);
  return { printed, console: { log: print, table: print } };
}

test("Workers: SIGTERM closes worker and queue, and says what became of the jobs", async () => {
  const { queue, another } = testQueue<string>();
  const own = another();
  const go = gate();
  const worker = await testWorker(own, () => go.promise);
  await queue.enqueue("x");
  await waitFor(() => worker.health().running === 1);
  const signals = new EventEmitter();
  const { printed, console } = notes();
  await runSnippet("Workers", 0, { process: signals, worker, queue: own, console });
  signals.emit("SIGTERM");
  go.resolve();
  await waitFor(() => printed.length === 1);
  expect(printed).toEqual([{ finished: 1, released: 0, abandoned: 0 }]);
  await expect(own.stats()).rejects.toThrow(/closed/);
});

test("Dead letters: look, send one, send the rest, remove", async () => {
  const { queue, redis, keys } = testQueue<number>();
  await queue.enqueueMany(Array.from({ length: 250 }, (_, n) => ({ data: n, id: `job-${n}` })));
  let isMended = false;
  const worker = new Worker(queue, ({ data }) => {
    if (!isMended) throw new DeadLetter(data % 2 === 0 ? "no such address" : "no such host");
  });
  onTestFinished(() => void worker.close());
  await worker.start();
  await waitFor(async () => (await queue.stats()).dead === 250);

  const { printed, console } = notes();
  await runSnippet("Dead letters", 0, { queue, console });
  const groups = printed[0] as { error: string; jobs: number; first: string }[];
  expect(groups.toSorted((a, b) => a.error.localeCompare(b.error))).toEqual([
    { error: "no such address", jobs: 125, first: expect.stringMatching(/^job-\d*[02468]$/) },
    { error: "no such host", jobs: 125, first: expect.stringMatching(/^job-\d*[13579]$/) },
  ]);

  isMended = true;
  const id = groups[0]!.first;
  await runSnippet("Dead letters", 1, { queue, console, id });
  await waitFor(async () => (await queue.get(id)) === undefined);
  await worker.close();
  await runSnippet("Dead letters", 2, { queue, console });
  expect(printed.at(-1)).toBe(249);
  expect(await queue.stats()).toMatchObject({ dead: 0, due: 249 });

  // Two that died, one of them long ago.
  for (const delivery of await queue.claim({ max: 2 })) await delivery.bury("bad");
  const [old] = (await queue.dead.list()).jobs;
  await redis.zadd(keys.dead, Date.now() - 31 * 86_400_000, old!.id);
  await runSnippet("Dead letters", 3, { queue });
  expect(await queue.get(old!.id)).toBeUndefined();
  expect(await queue.stats()).toMatchObject({ dead: 1, due: 247 });
});

test("Pausing: nothing runs during the maintenance, and all goes on afterwards", async () => {
  const { queue, another } = testQueue<string>();
  const started = gate();
  const go = gate();
  const ran: string[] = [];
  const worker = await testWorker(another(), async ({ data }) => {
    ran.push(data);
    if (data === "runs already") {
      started.resolve();
      await go.promise;
    }
  });
  const completed = once(worker, "completed");
  await queue.enqueue("runs already");
  await started.promise;
  const maintained = runSnippet("Pausing and draining", 0, { queue });
  await waitFor(async () => (await queue.stats()).paused);
  await queue.enqueue("waits");
  expect(ran).toEqual(["runs already"]);
  go.resolve();
  await completed;
  await maintained;
  await waitFor(() => ran.includes("waits"));
});

test("Draining: ends when nothing is left but dead letters", async () => {
  const { queue, another } = testQueue<string>();
  await queue.enqueueMany([{ data: "now" }, { data: "bad" }, { data: "later", delayMs: 300 }]);
  await testWorker(another(), ({ data }) => {
    if (data === "bad") throw new DeadLetter("bad");
  });
  await runSnippet("Pausing and draining", 1, { queue });
  expect(await queue.stats()).toMatchObject({
    delayed: 0,
    due: 0,
    processing: 0,
    dead: 1,
    totals: { completed: 2 },
  });
});

/** All of a queue as of one moment; the answer puts it back as it was. */
async function backUp(redis: Redis, keys: QueueKeys): Promise<() => Promise<void>> {
  const names = Object.values(keys) as string[];
  const dumping = redis.multi();
  for (const name of names) dumping.dumpBuffer(name);
  const dumps = (await dumping.exec())!.map(([, value]) => value as Buffer | null);
  return async () => {
    const restoring = redis.multi().del(...names);
    for (const [index, dump] of dumps.entries()) {
      if (dump) restoring.restore(names[index]!, 0, dump);
    }
    await restoring.exec();
  };
}

test("Restoring: what finished since runs again, under greater tokens; what came since is gone", async () => {
  const { queue, another, redis, keys, passTime } = testQueue<string>();
  await queue.enqueueMany(["held", "waited"].map((id) => ({ data: id, id })));
  const [held] = await queue.claim();
  const restore = await backUp(redis, keys);
  const [waited] = await queue.claim();
  expect([await held!.ack(), await waited!.ack()]).toEqual(["done", "done"]);
  await queue.enqueue("since", { id: "since" });

  await restore();
  const restored = another();
  const { printed, console } = notes();
  await runSnippet("Restoring from a backup", 0, { queue: restored, console });
  expect(printed).toMatchObject([{ isSound: true, jobs: 2 }]);
  expect(await restored.get("since")).toBeUndefined();
  await passTime(30_001);
  const again = [
    ...(await restored.claim({ waitMs: 10_000 })),
    ...(await restored.claim({ waitMs: 10_000 })),
  ];
  expect(Object.fromEntries(again.map(({ id, attempt }) => [id, attempt]))).toEqual({
    held: 2,
    waited: 1,
  });
  for (const { fencingToken } of again) {
    expect(fencingToken).toBeGreaterThan(waited!.fencingToken);
  }
});

test("no snippet of these sections is left out here", () => {
  const counts = {
    Workers: 1,
    "Dead letters": 4,
    "Pausing and draining": 2,
    "Restoring from a backup": 1,
  };
  const found = Object.keys(counts).map((heading) => [heading, snippetsUnder(heading).length]);
  expect(Object.fromEntries(found)).toEqual(counts);
});
