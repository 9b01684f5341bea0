/** A fault that is counted has struck somebody, also where its target has just ended. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { startServer } from "../../tools/redis/start-server.ts";
import { failOnLeaks } from "../helpers/leak-check.ts";
import { rawRedis, uniqueName } from "../helpers/redis.ts";
import { waitFor } from "../helpers/wait-for.ts";
import { Journal, readJournals } from "./history/journal.ts";
import { carryOutAll } from "./soak/faults.ts";
import { Fleet } from "./soak/fleet.ts";
import { REDIS_ARGUMENTS } from "./soak/setting.ts";

failOnLeaks();

const TARGET = "producer-1";

/** A fleet at work, of which one process is gone and not yet started again. */
async function fleetWithGap() {
  const server = await startServer({ args: REDIS_ARGUMENTS });
  onTestFinished(() => server.stop());
  const folder = mkdtempSync(join(tmpdir(), "holdfast-carry-out-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const journal = new Journal(folder, "run.1");
  onTestFinished(() => journal.close());
  const task = { seed: 1, queueName: uniqueName("carry-out"), shards: 1, folder };
  const fleet = await Fleet.start({ target: server, task, journal });
  onTestFinished(() => fleet.stop());
  const admin = rawRedis(server.url);
  const member = fleet.member(TARGET);
  member.signal("SIGKILL");
  await waitFor(() => member.hasEnded);
  const strike = (kind: "stop-process" | "cut-link") => {
    const fault = { atMs: 0, kind, target: TARGET, durationMs: 100, latencyMs: 0 } as const;
    const drawn = { ...fault, script: "enqueue", clients: "normal" } as const;
    return carryOutAll([drawn], { server, admin, fleet, journal });
  };
  return { member, strike, entries: () => readJournals(folder) };
}

test("a process that has ended is struck once it is there again", async () => {
  const { strike, entries } = await fleetWithGap();
  await strike("stop-process");
  const targets = entries().flatMap((entry) => (entry.kind === "fault" ? entry.target : []));
  expect(targets).toEqual([`${TARGET}.2`]);
});

test("a link is cut once there is one", async () => {
  const { member, strike } = await fleetWithGap();
  await waitFor(() => member.proxy.connectionCount === 0);
  const before = member.proxy.acceptedCount;
  await strike("cut-link");
  expect(member.proxy.acceptedCount).toBeGreaterThan(before);
});
