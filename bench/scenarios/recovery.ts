import { setTimeout as sleep } from "node:timers/promises";
import { untilAcknowledged, untilStarted } from "../support/worker-progress.ts";
import {
  type BenchPeer,
  Figures,
  type Scenario,
  type ScenarioContext,
} from "../support/scenario.ts";

const heldJobs = 1_000;
const shortTimeoutMs = 2_000;
const defaultTimeoutMs = 30_000;
const allowanceMs = 1_000;
/** Leases are renewed at the latest at half of the peers' default timeouts: the kill comes at any point between. */
const maxKillDelayMs = 15_000;
const metric = "from SIGKILL to all redelivered";
const defaults = "default settings";
const short = `visibility timeout ${shortTimeoutMs / 1_000} s`;

export const recovery: Scenario = {
  name: "recovery",
  description: `a worker that holds ${heldJobs.toLocaleString("en-US")} jobs is killed; another is idle`,
  peers: ["holdfast", "bullmq", "bee-queue"],
  targets: [
    { row: defaults, metric, atMost: (defaultTimeoutMs + allowanceMs) / 1_000 },
    { row: short, metric, atMost: (shortTimeoutMs + allowanceMs) / 1_000 },
  ],
  timeLimitMs: 1_200_000,
  notQuick: "it waits for leases to end",
  run: async (context) => {
    const figures = new Figures();
    const ours = context.peers.filter(({ module }) => module === "holdfast");
    if (!context.isQuick) {
      await measureAll(context, figures, { row: defaults, peers: context.peers });
    }
    await measureAll(context, figures, { row: short, peers: ours, timeoutMs: shortTimeoutMs });
    return figures.all;
  },
};

interface Case {
  readonly row: string;
  readonly peers: readonly BenchPeer[];
  readonly timeoutMs?: number;
}

/** All peers and repeats at the same time: they do little but wait. */
async function measureAll(
  context: ScenarioContext,
  figures: Figures,
  { row, peers, timeoutMs }: Case,
): Promise<void> {
  context.progress(row);
  await Promise.all(
    peers.map(async (peer) => {
      const repeats = Array.from({ length: context.repeats }, () =>
        measureRecovery(context, peer, timeoutMs),
      );
      const seconds = (await Promise.all(repeats)).map((recoveredMs) => recoveredMs / 1_000);
      figures.add({ row, metric, unit: "s", peer: peer.name }, ...seconds);
    }),
  );
}

async function measureRecovery(
  { openQueue }: ScenarioContext,
  peer: BenchPeer,
  visibilityTimeoutMs?: number,
): Promise<number> {
  const queue = openQueue(peer);
  const timeout = visibilityTimeoutMs === undefined ? {} : { visibilityTimeoutMs };
  const settings = { concurrency: heldJobs, ...timeout };
  const victim = await queue.startWorker({ ...settings, handler: "hold" });
  await queue.load({ jobs: heldJobs });
  await untilStarted(victim, heldJobs);
  const heir = await queue.startWorker({ ...settings, handler: "no-op" });
  await sleep(Math.random() * Math.min(maxKillDelayMs, visibilityTimeoutMs ?? maxKillDelayMs));
  const killedAtMs = Number(process.hrtime.bigint()) / 1e6;
  await victim.kill();
  const [progress] = await untilAcknowledged([heir], heldJobs);
  await queue.remove();
  if (progress === undefined || progress.firstStartAtMs < killedAtMs) {
    throw new Error(`${peer.name}: jobs ran elsewhere while their worker was alive`);
  }
  return progress.lastStartAtMs - killedAtMs;
}
