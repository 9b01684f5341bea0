/** The bench believes no peer that it has not proven: each by the build that it measures. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { BenchServer } from "../../bench/support/bench-server.ts";
import { checkPeers } from "../../bench/support/chosen-peers.ts";
import { type RedisServer, startServer } from "../../tools/redis/start-server.ts";
import { failOnLeaks } from "../helpers/leak-check.ts";

/** Its own: a key that appears meanwhile is taken for one of the peer. */
let redis: RedisServer;
beforeAll(async () => {
  redis = await startServer();
});
afterAll(() => redis?.stop());

failOnLeaks();

function openServer(): BenchServer {
  const server = new BenchServer(redis.url);
  onTestFinished(() => server.close());
  return server;
}

const builds = {
  "this build does not start": 'throw new Error("this build does not start");',
  "its jobs are not in this Redis": `
    export class Queue {
      async stats() {}
      async enqueue() {}
      async enqueueMany() {}
      async close() {}
    }
    export class Worker {
      listeners = {};
      on(name, listener) {
        this.listeners[name] = listener;
      }
      async start() {
        for (let n = 0; n < 200; n += 1) this.listeners.completed({ job: { data: {} } });
      }
      async close() {}
    }`,
};

test.each(Object.entries(builds))("another build is proven by itself: %s", async (fault, text) => {
  const folder = await mkdtemp(join(tmpdir(), "holdfast-build-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const dist = join(folder, "index.mjs");
  await writeFile(dist, text);
  const base = { name: "holdfast@base", module: "holdfast", dist };
  await expect(checkPeers([base], openServer())).rejects.toThrow(
    new RegExp(`^The peer holdfast@base failed its check: .*${fault}`, "s"),
  );
});

test("a peer that does what is taken for granted passes", () =>
  checkPeers([{ name: "floor", module: "floor" }], openServer()));
