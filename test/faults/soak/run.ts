/** One soak: processes, faults, healing, draining, and the verdict. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Redis } from "ioredis";
import type { Queue } from "../../../src/index.ts";
import type { RedisServer } from "../../../tools/redis/server.ts";
import { startServer } from "../../../tools/redis/start-server.ts";
import { waitFor } from "../../helpers/wait-for.ts";
import { check } from "../checker/check.ts";
import type { EndState } from "../checker/evidence.ts";
import { Journal, readJournals } from "../history/journal.ts";
import type { Entry } from "../history/lines.ts";
import { ensureClocksAgree, watchClock } from "./clocks.ts";
import { bringForward, readEndState } from "./end-state.ts";
import { carryOutAll } from "./faults.ts";
import { type Figures, figuresOf } from "./figures.ts";
import { Fleet } from "./fleet.ts";
import { drawFaults } from "./plan.ts";
import { openQueue, REDIS_ARGUMENTS } from "./setting.ts";

const FINISH_TIMEOUT_MS = 30_000;
/** Longer than any delay that a job of ours asks for. */
const DELAYS_OVER_MS = 10_000;
const DRAIN_TIMEOUT_MS = 60_000;
const HEALTHY_TIMEOUT_MS = 20_000;
const ADMIN_RETRY_MS = 50;

export interface SoakOptions {
  readonly seconds: number;
  readonly seed: number;
  readonly shards: number;
  readonly keepsHistories: boolean;
  readonly say: (line: string) => void;
}

export interface SoakResult {
  readonly figures: Figures;
  readonly entries: readonly Entry[];
  readonly serverDescription: string;
  /** Where the histories are; gone if nothing is wrong with them. */
  readonly folder: string | undefined;
}

export async function runSoak(options: SoakOptions): Promise<SoakResult> {
  const { seconds, seed, shards, say } = options;
  const server = await startServer({ args: REDIS_ARGUMENTS });
  const folder = mkdtempSync(join(tmpdir(), "holdfast-soak-"));
  const journal = new Journal(folder, "run.1");
  const admin = openAdmin(server.url);
  let fleet: Fleet | undefined;
  let queue: Queue<never> | undefined;
  let keepsFolder = true;
  try {
    await ensureClocksAgree(admin);
    const clock = watchClock();
    const queueName = `soak-${seed}`;
    queue = openQueue<never>(queueName, server.url, shards);
    fleet = await Fleet.start({
      target: server,
      task: { seed, queueName, shards, folder },
      journal,
    });
    say(`${server.description}; histories in ${folder}`);
    await carryOutAll(drawFaults(seed, seconds), { server, admin, fleet, journal });
    say("All faults are over; the queue drains.");
    const end = await settle(fleet, queue, admin, journal);
    clock.ensureItDidNotStep();

    const entries = readJournals(folder);
    const violations = check({ entries, end });
    keepsFolder = options.keepsHistories || violations.length > 0;
    const figures = figuresOf(entries, end, violations);
    return {
      figures,
      entries,
      serverDescription: server.description,
      folder: keepsFolder ? folder : undefined,
    };
  } finally {
    await fleet?.stop();
    await queue?.close();
    admin.disconnect();
    journal.close();
    await server.stop();
    if (!keepsFolder) rmSync(folder, { recursive: true });
  }
}

/** Lets the producers finish, then the queue drain, then the workers finish. What Redis holds then. */
async function settle(
  fleet: Fleet,
  queue: Queue<never>,
  admin: Redis,
  journal: Journal,
): Promise<EndState> {
  if (!(await fleet.finish(["producer", "operator"], FINISH_TIMEOUT_MS))) {
    journal.write({ kind: "crash", target: "a producer or operator", how: "it did not finish" });
  }
  for (const target of await fleet.deafWorkers(HEALTHY_TIMEOUT_MS)) {
    journal.write({ kind: "deaf", target });
  }
  const isEmpty = async () => {
    const { delayed, due, processing } = await queue.stats();
    return delayed + due + processing === 0;
  };
  const drains = (timeoutMs: number) =>
    waitFor(isEmpty, { timeoutMs }).then(
      () => true,
      () => isEmpty(),
    );
  let hasDrained = await drains(DELAYS_OVER_MS);
  if (!hasDrained) {
    await bringForward(admin, queue);
    hasDrained = await drains(DRAIN_TIMEOUT_MS);
  }
  if (!(await fleet.finish(["worker", "claimer"], FINISH_TIMEOUT_MS))) {
    journal.write({ kind: "crash", target: "a worker or claimer", how: "it did not finish" });
  }
  await fleet.stop();
  return readEndState(admin, queue, hasDrained);
}

/** Comes back by itself after Redis did, and keeps its calls until then. */
function openAdmin(url: RedisServer["url"]): Redis {
  const admin = new Redis(url, {
    disconnectTimeout: 100,
    maxRetriesPerRequest: null,
    retryStrategy: () => ADMIN_RETRY_MS,
  });
  admin.on("error", () => {}); // a Redis that was killed: expected here
  return admin;
}
