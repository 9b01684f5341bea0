/** What an acknowledged enqueue loses when a lone Redis is killed, for each way it keeps data. */
import { Redis } from "ioredis";
import { expect, onTestFinished, test } from "vitest";
import { type RedisServer, startServer } from "../../tools/redis/start-server.ts";
import { Queue, RedisRefusedError } from "../../src/index.ts";
import { failOnLeaks } from "../helpers/leak-check.ts";
import { missingJobs } from "../helpers/missing-jobs.ts";
import { startLoad } from "../helpers/producer-load.ts";
import { uniqueName } from "../helpers/redis.ts";
import { waitFor } from "../helpers/wait-for.ts";
import { watchedWorker } from "../helpers/watched-worker.ts";

failOnLeaks();

const appendOnly = (fsync: string) => ["--appendonly", "yes", "--appendfsync", fsync];

async function start(args: readonly string[]): Promise<RedisServer> {
  const server = await startServer({ args });
  onTestFinished(() => server.stop());
  return server;
}

function open(server: RedisServer, name = uniqueName("crash")): Queue<string> {
  const queue = new Queue<string>(name, { connection: server.url, enqueueTimeoutMs: 30_000 });
  onTestFinished(() => queue.close());
  return queue;
}

async function crash(server: RedisServer): Promise<void> {
  await server.kill("SIGKILL");
  await server.restart();
}

/** As docs/operations.md advises: what was being written at the crash leaves the file (decision 0012). */
async function crashAndRewrite(server: RedisServer): Promise<void> {
  await crash(server);
  const redis = new Redis(server.url);
  try {
    await redis.bgrewriteaof();
    await waitFor(async () => {
      const facts = await redis.info("persistence");
      return /aof_rewrite_in_progress:0/.test(facts) && /aof_rewrite_scheduled:0/.test(facts);
    });
    expect(await redis.info("persistence")).toContain("aof_last_bgrewrite_status:ok");
  } finally {
    redis.disconnect();
  }
}

const enqueueAll = (queue: Queue<string>, ids: readonly string[]) =>
  queue.enqueueMany(ids.map((id) => ({ data: id, id })));

const named = (label: string, count: number) =>
  Array.from({ length: count }, (_, n) => `${label}-${n}`);

/** A queue that lost jobs is a sound queue, and the worker it had goes on with what is left. */
async function expectRecovery(
  queue: Queue<string>,
  { seen }: ReturnType<typeof watchedWorker<string>>,
  left: readonly string[],
): Promise<void> {
  expect(await queue.verify()).toMatchObject({ isSound: true, jobs: left.length });
  await queue.resume();
  await queue.enqueue("after", { id: "after" });
  await waitFor(() => seen.completed.length === left.length + 1);
  const completed = seen.completed.map(({ job }) => job.id);
  expect(completed.toSorted()).toEqual([...left, "after"].toSorted());
  expect(await queue.stats()).toMatchObject({ due: 0, processing: 0, dead: 0 });
}

test.each([
  { keeps: "nothing", saves: false },
  { keeps: "snapshots", saves: true },
])("a Redis that keeps $keeps loses what it took since", async ({ saves }) => {
  const server = await start([]);
  const queue = open(server);
  await queue.pause();
  const watched = watchedWorker(open(server, queue.name), () => undefined, { pollIntervalMs: 50 });
  await watched.worker.start();
  const [before, since] = [named("before", 50), named("since", 70)];
  await enqueueAll(queue, before);
  if (saves) {
    const redis = new Redis(server.url);
    await redis.save();
    redis.disconnect();
  }
  await enqueueAll(queue, since);
  await crash(server);
  const lost = await missingJobs(server.url, queue.name, [...before, ...since]);
  expect(lost).toEqual(saves ? since : [...before, ...since]);
  await expectRecovery(queue, watched, saves ? before : []);
});

test("appendfsync everysec: a kill costs at most what was acknowledged in the last two seconds", async () => {
  const server = await start(appendOnly("everysec"));
  const queue = open(server);
  const load = startLoad([open(server, queue.name), open(server, queue.name)]);
  for (let kills = 0; kills < 3; kills += 1) {
    await load.grows(300);
    const killedAt = performance.now();
    await crashAndRewrite(server);
    const old = [...load.acknowledged].filter(([, at]) => at < killedAt - 2_000);
    expect(
      await missingJobs(
        server.url,
        queue.name,
        old.map(([id]) => id),
      ),
    ).toEqual([]);
  }
  await load.stop();
  expect(await queue.verify()).toMatchObject({ isSound: true, breaches: [], unknownCount: 0 });
});

test("WAITAOF with appendfsync everysec: a kill costs nothing that was acknowledged", async () => {
  const server = await start(appendOnly("everysec"));
  const queue = open(server);
  const durability = { aof: { local: 1 as const }, timeoutMs: 10_000 };
  const enqueue = () =>
    queue.enqueueMany(named("job", 500).map((id) => ({ data: id, id, durability })));
  const redis = new Redis(server.url);
  const [waitAof] = (await redis.command("INFO", "WAITAOF")) as unknown[];
  redis.disconnect();
  if (waitAof === null) {
    await expect(enqueue()).rejects.toThrow(RedisRefusedError); // Redis 7.0
  } else {
    await enqueue();
    await crash(server);
    expect(await missingJobs(server.url, queue.name, named("job", 500))).toEqual([]);
  }
});

test("appendfsync always: 20 kills under load cost nothing that was acknowledged", async () => {
  const server = await start(appendOnly("always"));
  const queue = open(server);
  const producers = Array.from({ length: 4 }, () => open(server, queue.name));
  const done = new Set<string>();
  const watched = watchedWorker(
    open(server, queue.name),
    (job) => {
      // The others stay, so that Redis has something to lose.
      if (job.id.endsWith("0")) done.add(job.id);
      else throw new Error("later");
    },
    { pollIntervalMs: 50, concurrency: 5, visibilityTimeoutMs: 1_000, maxAttempts: 1_000 },
  );
  await watched.worker.start();
  const load = startLoad(producers);
  for (let kills = 0; kills < 20; kills += 1) {
    await load.grows(Math.ceil(Math.random() * 200));
    await crashAndRewrite(server);
  }
  await load.stop();
  const ids = [...load.acknowledged.keys()];
  expect(ids.length).toBeGreaterThan(20);
  const lost = (await missingJobs(server.url, queue.name, ids)).filter((id) => !done.has(id));
  expect(lost).toEqual([]);
  expect(done.size).toBeGreaterThan(0);
  await watched.worker.close();
  expect(await queue.verify()).toMatchObject({ isSound: true, breaches: [], unknownCount: 0 });
}, 300_000);
