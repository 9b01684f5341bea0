/** Two releases on one queue, each in processes of its own: a deploy and a rollback while work goes on. */
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { type RedisServer, startServer } from "../../tools/redis/start-server.ts";
import { type Child, startChild } from "../helpers/processes/child.ts";
import type { ReleaseAppMessage, ReleaseAppTask } from "../helpers/processes/release-app-task.ts";
import { buildRelease, deriveRelease, makeReleaseFolder } from "../helpers/releases.ts";
import { rawRedis, uniqueName } from "../helpers/redis.ts";
import { waitFor } from "../helpers/wait-for.ts";
import { Queue } from "../../src/index.ts";
import { queueKeys } from "../../src/core/store/keys.ts";

type Release = "old" | "new" | "raised";

// A build, and some ten processes that start one after the other.
vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

/** What an application has to be seen doing before the deploy goes on. */
const jobsSeen = 50;

let folder: Awaited<ReturnType<typeof makeReleaseFolder>>;
let server: RedisServer;

beforeAll(async () => {
  folder = await makeReleaseFolder();
  await buildRelease(pathOf("old"));
  await deriveRelease(pathOf("old"), pathOf("new"));
  await deriveRelease(pathOf("old"), pathOf("raised"), { dataVersion: 2 });
  server = await startServer();
});
afterAll(async () => {
  await server?.stop();
  await folder?.remove();
});

const pathOf = (release: Release) => join(folder.path, release);

interface App extends Child<ReleaseAppMessage> {
  readonly release: Release;
  readonly completedIds: () => string[];
}

function startApp(
  queueName: string,
  release: Release,
  name: string,
  more: Partial<ReleaseAppTask> = {},
): App {
  const program = join(import.meta.dirname, "../helpers/processes/release-app.ts");
  const task = { url: server.url, queueName, release: pathOf(release), name, ...more };
  const child = startChild<ReleaseAppMessage>(program, task);
  return { ...child, release, completedIds: () => child.told("completed").map(({ id }) => id) };
}

/** As a supervisor does it. */
async function stopApp(app: App): Promise<void> {
  app.signal("SIGTERM");
  const [closed] = await app.tells("closed");
  expect(closed!.summary.abandoned).toBe(0);
  expect(await app.ended).toEqual([0, null]);
}

function openQueue(name: string) {
  const queue = new Queue<number>(name, { connection: server.url });
  return { queue, keys: queueKeys("holdfast", name), [Symbol.asyncDispose]: () => queue.close() };
}

test("a deploy and a rollback, process by process: each job is done once, by either release", async () => {
  const name = uniqueName("deploy");
  await using opened = openQueue(name);
  const { queue } = opened;
  const apps: App[] = [];
  const start = async (release: Release, label: string, more: Partial<ReleaseAppTask> = {}) => {
    const app = startApp(name, release, label, more);
    apps.push(app);
    await app.tells("completed", jobsSeen);
    return app;
  };
  /** Waits until jobs that one release enqueued were completed by the other, and the other way round. */
  const mixed = (old: App, other: App, oldName: string, otherName: string) =>
    waitFor(
      () =>
        old.completedIds().some((id) => id.startsWith(otherName)) &&
        other.completedIds().some((id) => id.startsWith(oldName)),
      { what: `${oldName} and ${otherName} run jobs of each other` },
    );

  const held = "held when its worker is told to leave";
  await queue.enqueue(0, { id: held });
  const old1 = await start("old", "old1", { holds: held });
  await old1.tells("started");
  const old2 = await start("old", "old2");

  const new1 = await start("new", "new1");
  await mixed(old1, new1, "old1", "new1");
  await stopApp(old1);
  await waitFor(() => [old2, new1].some((app) => app.completedIds().includes(held)));
  const new2 = await start("new", "new2");
  await mixed(old2, new2, "old2", "new2");
  await stopApp(old2);
  // Only the new release is left; then back again.
  await new2.tells("completed", new2.told("completed").length + jobsSeen);
  const old3 = await start("old", "old3");
  await mixed(old3, new1, "old3", "new1");
  await stopApp(new1);
  await stopApp(new2);

  old3.send("settle down");
  await old3.tells("produced");
  await waitFor(async () => {
    const { delayed, due, processing } = await queue.stats();
    return delayed + due + processing === 0;
  });
  await stopApp(old3);

  expect(apps.flatMap((app) => app.told("failed"))).toEqual([]);
  const enqueued = [held, ...apps.flatMap((app) => app.told("enqueued").flatMap(({ ids }) => ids))];
  expect(apps.flatMap((app) => app.completedIds()).toSorted()).toEqual(enqueued.toSorted());
  const attempts = apps.flatMap((app) => app.told("completed").map(({ attempt }) => attempt));
  expect(new Set(attempts)).toEqual(new Set([1]));
  const { totals } = await queue.stats();
  expect(totals).toMatchObject({
    enqueued: enqueued.length,
    completed: enqueued.length,
    retried: 0,
    expired: 0,
    buried: 0,
  });
  expect(await queue.verify()).toMatchObject({ isSound: true, jobs: 0 });
});

test.each([
  ["old", "new"],
  ["new", "old"],
] as const)(
  "what a killed process of the %s release held runs in the %s one",
  async (dies, lives) => {
    const name = uniqueName("deploy");
    await using opened = openQueue(name);
    const { queue } = opened;
    await queue.enqueue(0, { id: "held" });
    const visibilityTimeoutMs = 1_000;
    const killed = startApp(name, dies, "killed", { holds: "held", visibilityTimeoutMs });
    const [before] = await killed.tells("started");
    killed.signal("SIGKILL");
    await killed.ended;
    const app = startApp(name, lives, "app", { visibilityTimeoutMs });
    await waitFor(() => app.completedIds().includes("held"));
    const run = app.told("completed").find(({ id }) => id === "held");
    expect(run).toMatchObject({ attempt: 2 });
    expect(before!.fencingToken).toBeGreaterThan(0);
    await stopApp(app);
    expect(app.told("failed")).toEqual([]);
    expect(await queue.verify()).toMatchObject({ isSound: true });
  },
);

test("a release with a newer data version works on the data there is, and marks only new queues", async () => {
  const redis = rawRedis(server.url);
  const [shared, fresh] = [uniqueName("deploy"), uniqueName("deploy")];
  await using opened = openQueue(shared);
  await opened.queue.enqueue(0, { id: "first" });
  const raised = startApp(shared, "raised", "raised");
  const old = startApp(shared, "old", "old");
  await raised.tells("completed", jobsSeen);
  await old.tells("completed", jobsSeen);
  expect(await redis.hget(opened.keys.meta, "version")).toBe("1");

  const alone = startApp(fresh, "raised", "alone");
  await alone.tells("completed", jobsSeen);
  expect(await redis.hget(queueKeys("holdfast", fresh).meta, "version")).toBe("2");
  await using late = openQueue(fresh);
  await expect(late.queue.stats()).rejects.toThrow(/version 2.*upgrade holdfast/);
  await Promise.all([raised, old, alone].map(stopApp));
  expect([raised, old, alone].flatMap((app) => app.told("failed"))).toEqual([]);
});
