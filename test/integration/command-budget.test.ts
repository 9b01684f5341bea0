/**
 * docs/command-budget.md, held to what a server sees: exact counts of commands, not times. On a server
 * of the file's own, for every command on it counts; a shard on a node of a cluster is no different.
 */
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Redis } from "ioredis";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { CLUSTER_REFRESH_MAX_MS } from "../../src/core/model/limits.ts";
import { resolveWorkerOptions } from "../../src/core/model/worker-options.ts";
import { type RedisServer, startServer } from "../../tools/redis/start-server.ts";
import { BudgetScene, clusterQueue, patient, steps } from "../helpers/budget-steps.ts";
import {
  budgetRows,
  describeCalls,
  describeInner,
  expectBudget,
} from "../helpers/command-budget.ts";
import type { ClientCommand, CommandMonitor } from "../../tools/redis/command-monitor.ts";
import { openCommandMonitor } from "../helpers/command-monitor.ts";
import { gate, testWorker } from "../helpers/holdfast.ts";
import { failOnLeaks } from "../helpers/leak-check.ts";
import { rawRedis } from "../helpers/redis.ts";
import { waitFor } from "../helpers/wait-for.ts";

let server: RedisServer;
let admin: Redis;
let monitor: CommandMonitor;
beforeAll(async () => {
  server = await startServer();
  admin = rawRedis(server.url);
  monitor = await openCommandMonitor(admin);
});
afterAll(async () => {
  monitor?.close();
  admin?.disconnect();
  await server?.stop();
});

failOnLeaks();

const openScene = () => BudgetScene.open(server.url, admin);

/** Holds a table of the page to what was seen: a row for each client command, in order. */
function expectRows(heading: string, commands: readonly ClientCommand[], queue: string): void {
  const rows = commands.map(({ name }, index) => `${index + 1}. \`${name}\``);
  expect(rows).toEqual(budgetRows(heading));
  for (const [index, command] of commands.entries()) {
    expectBudget(heading, rows[index]!, describeInner([command], queue));
  }
}

describe("each call", () => {
  const heading = "Each call";

  test("has its row in the page, and each row its call", () => {
    expect(Object.keys(steps)).toEqual(budgetRows(heading));
  });

  test.each(Object.entries(steps))("%s", async (step, prepare) => {
    const scene = await openScene();
    const commands = await monitor.during(await prepare(scene));
    expectBudget(heading, step, describeCalls(commands), describeInner(commands, scene.name));
  });
});

describe("a job's whole life", () => {
  test("takes three round trips on an idle queue", async () => {
    const scene = await openScene();
    await scene.idleWorker(() => undefined);
    const commands = await monitor.during(async () => {
      await scene.queue.enqueue("x");
      await monitor.until("ack", 1);
    });
    expectRows("A job on an idle queue", commands, scene.name);
  });

  test("on a worker that it fills ends with an ack and the next claim", async () => {
    const scene = await openScene();
    await scene.idleWorker(() => undefined, { concurrency: 1 });
    const commands = await monitor.during(async () => {
      await scene.queue.enqueue("x");
      await monitor.until("claim", 2);
    });
    expectRows("A job that fills its worker", commands, scene.name);
  });
});

describe("a worker's own duties", () => {
  const heading = "A worker's own duties";

  /** The first command of this name while `call` runs; how many follow may depend on time. */
  async function expectDuty(
    duty: string,
    { name }: BudgetScene,
    command: string,
    call: () => Promise<unknown>,
  ): Promise<void> {
    const commands = await monitor.during(call);
    const first = commands.filter((each) => each.name === command).slice(0, 1);
    expectBudget(heading, duty, `\`${command}\``, describeInner(first, name));
  }

  test("a look that finds nothing due", async () => {
    const scene = await openScene();
    const worker = await scene.idleWorker(() => undefined);
    await expectDuty("Looks, nothing due", scene, "claim", async () => {
      await scene.wake(worker);
      await monitor.until("claim", 1);
    });
  });

  test("the extension of the leases that it holds", async () => {
    const scene = await openScene();
    const held = gate();
    await scene.idleWorker(() => held.promise, { concurrency: 32, visibilityTimeoutMs: 6_000 });
    await expectDuty("Extends 32 leases", scene, "extend", async () => {
      await scene.enqueue(32);
      await monitor.until("extend", 1);
      held.resolve();
    });
  });

  test("a claim of 100 while more are due", async () => {
    const scene = await openScene();
    await scene.queue.pause();
    await scene.enqueue(200);
    const held = gate();
    await scene.idleWorker(() => held.promise, { concurrency: 200 });
    await expectDuty("Claims 100 for 200 slots, more are due", scene, "claim", async () => {
      await scene.queue.resume();
      await monitor.until("claim", 1);
      held.resolve();
    });
  });

  test("a look for expired leases that finds none", async () => {
    const scene = await openScene();
    await expectDuty("Looks for expired leases, none there", scene, "reap", async () => {
      const worker = await scene.idleWorker(() => undefined, { visibilityTimeoutMs: 500 });
      await monitor.until("reap", 1);
      await worker.close();
    });
  });

  test("expired leases given back", async () => {
    const scene = await openScene();
    await scene.claim(100);
    await scene.endLeases();
    await expectDuty("Gives back 100 expired leases", scene, "reap", () => scene.queue.claim());
  });

  test("its end", async () => {
    const scene = await openScene();
    const worker = await scene.idleWorker(() => undefined);
    await expectDuty("`worker.close()`", scene, "leave", () => worker.close());
  });
});

describe("an idle worker", () => {
  const heading = "Idle";
  const perMinute = (intervalMs: number) => 60_000 / intervalMs;
  /** A timer may be a little early, but not each time by half. */
  const expectInterval = (commands: readonly ClientCommand[], intervalMs: number) => {
    const leastMs = ((commands.length - 1) * intervalMs) / 2;
    expect(commands.at(-1)!.atMs - commands[0]!.atMs).toBeGreaterThan(leastMs);
  };

  test("looks once a poll interval, and reaps at most once a visibility timeout", async () => {
    const scene = await openScene();
    await testWorker(scene.another(), () => undefined);
    const pollIntervalMs = await scene.pollIntervalMs();
    const { visibilityTimeoutMs } = resolveWorkerOptions({});
    const looks = perMinute(pollIntervalMs);
    const reaps = perMinute(visibilityTimeoutMs);
    const row = (name: string, ...cells: string[]) => expectBudget(heading, name, ...cells);
    row("Looks for due jobs", "`claim`", `${pollIntervalMs} ms`, `${looks}`);
    row("Looks for expired leases", "`reap`", `${visibilityTimeoutMs} ms`, `at most ${reaps}`);
    row("Both", "", "", `at most ${looks + reaps}`);
    expect(looks + reaps).toBeLessThanOrEqual(15);
  });

  test("is no busier than a claim by hand that waits", async () => {
    const scene = await openScene();
    const stopping = new AbortController();
    const claiming = scene.queue.claim({ waitMs: 3_600_000, signal: stopping.signal });
    const intervalMs = await scene.pollIntervalMs();
    const cells = ["`claim`", `${intervalMs} ms`, `${perMinute(intervalMs)}`];
    expectBudget(heading, "Looks of a claim by hand that waits", ...cells);
    stopping.abort();
    expect(await claiming).toEqual([]);
  });

  test("sends nothing but its looks, which put off those for expired leases", async () => {
    const scene = await openScene();
    const options = { pollIntervalMs: 100, visibilityTimeoutMs: 3_000 };
    await scene.idleWorker(() => undefined, options);
    const commands = await monitor.during(() => monitor.until("claim", 35));
    expect(new Set(commands.map(({ name }) => name))).toEqual(new Set(["claim"]));
    expectInterval(commands, options.pollIntervalMs);
  });

  test("sends nothing but its looks for expired leases, where others come late", async () => {
    const scene = await openScene();
    await scene.idleWorker(() => undefined, { visibilityTimeoutMs: 100 });
    const commands = await monitor.during(() => monitor.until("reap", 10));
    expect(new Set(commands.map(({ name }) => name))).toEqual(new Set(["reap"]));
    expectInterval(commands, 100);
  });

  test("on a cluster, has one more timer, that of the wake-ups' connection", async () => {
    const cluster = await startServer({ args: ["--cluster-enabled", "yes"] });
    onTestFinished(() => cluster.stop());
    const watch = await openCommandMonitor(rawRedis(cluster.url));
    onTestFinished(() => watch.close());
    const worker = await testWorker(clusterQueue(cluster.url), () => undefined, patient);
    await waitFor(() => worker.health().lastLookAgeMs !== undefined);
    const commands = await watch.during(async () => {
      await rawRedis(cluster.url).call("CLIENT", "KILL", "TYPE", "pubsub"); // a sign, upon which it asks more often
      await watch.until("CLUSTER SLOTS", 4);
    });
    const [before, last] = commands.filter(({ name }) => name === "CLUSTER SLOTS").slice(-2);
    expect(last!.atMs - before!.atMs).toBeGreaterThan(1_000); // and then ever more seldom
    // On a connection that ioredis opens for it, and on which it introduces itself.
    const ask = commands.filter(({ connection }) => connection === last!.connection);
    expect(describeCalls(ask.filter(({ name }) => name !== "CLIENT"))).toBe("1 `CLUSTER SLOTS`");
    const asks = perMinute(CLUSTER_REFRESH_MAX_MS);
    const cells = ["`CLUSTER SLOTS`", `${CLUSTER_REFRESH_MAX_MS} ms`, `${asks}`];
    expectBudget(heading, "On a cluster, once a process: asks where slots are", ...cells);
    const { pollIntervalMs, visibilityTimeoutMs } = resolveWorkerOptions({});
    const others = perMinute(pollIntervalMs) + perMinute(visibilityTimeoutMs);
    expect(others + asks * ask.length).toBeLessThanOrEqual(15);
  });

  test("has no timers but those of the page", () => {
    const folder = join(import.meta.dirname, "../../src/core");
    const files = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((file) => {
      const [imports] = /import \{[^}]*\} from "[./]*model\/clock\.ts"/.exec(
        file.endsWith(".ts") ? readFileSync(join(folder, file), "utf8") : "",
      ) ?? [""];
      return /\b(startTimer|pause)\b/.test(imports);
    });
    expect(files.toSorted()).toEqual([
      "engine/claimer.ts", // looks
      "engine/consumer.ts", // looks of a claim by hand that waits
      "engine/enqueue-tries.ts", // repeats what had no answer
      "engine/executor.ts", // sends nothing: ends handlers
      "engine/lease-keeper.ts", // extends, while jobs run
      "engine/reaper.ts", // looks for expired leases
      "engine/settler.ts", // repeats what had no answer
      "store/connection.ts", // sends nothing: gives up calls
      "store/shard-layout.ts", // at the first call: waits while another process changes the number
      "store/slot-watch.ts", // asks where slots are, on a cluster
    ]);
  });
});

test("of 20 idle workers, a job costs one wake-up and the calls of one", async () => {
  const scene = await openScene();
  for (let n = 0; n < 20; n += 1) await scene.idleWorker(() => undefined);
  // Another worker that was woken as well would show at the latest in the next round.
  for (let round = 0; round < 5; round += 1) {
    const commands = await monitor.during(async () => {
      await scene.queue.enqueue("x");
      await monitor.until("ack", 1);
    });
    const inner = commands.flatMap((each) => each.inner);
    const publications = inner.filter(([command]) => command!.includes("PUBLISH"));
    const heading = "One job, 20 idle workers";
    expectBudget(heading, "Client commands", describeCalls(commands));
    expectBudget(heading, "Wake-ups", String(publications.length));
    const workers = commands.slice(1).map(({ connection }) => connection);
    expectBudget(heading, "Workers that send a command", String(new Set(workers).size));
  }
});

describe("a busy worker", () => {
  const heading = "2,000 jobs on a busy worker";
  const jobs = 2_000;

  // Exact, for all jobs of one claim end in one turn; but at 100 it takes 50 or 100, by how far Redis is.
  test.each([1, 10, 100, 200, 1_000])("at concurrency %d", async (concurrency) => {
    const scene = await openScene();
    await scene.queue.pause();
    await scene.enqueue(jobs);
    const worker = await scene.idleWorker(() => undefined, { concurrency });
    const commands = await monitor.during(async () => {
      const drained = once(worker, "drained");
      await scene.queue.resume();
      await drained;
      await waitFor(() => worker.health().unsettled === 0);
    });
    const calls = commands.filter(({ name }) => name !== "resume");
    const perJob = [calls, calls.flatMap(({ inner }) => inner)].map(({ length }) => length / jobs);
    const figures = [describeCalls(calls), ...perJob.map((count) => count.toFixed(2))];
    if (concurrency !== 100) expectBudget(heading, String(concurrency), ...figures);
    expect(calls.length / jobs).toBeLessThan(concurrency < 100 ? 2.01 / concurrency : 0.05);
  });
});
