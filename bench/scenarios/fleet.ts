import { setTimeout as sleep } from "node:timers/promises";
import type { BenchProcess } from "../support/bench-process.ts";
import { type BenchQueue, startWorkers } from "../support/bench-queue.ts";
import {
  type BenchPeer,
  Figures,
  interleave,
  type Scenario,
  type ScenarioContext,
} from "../support/scenario.ts";
import {
  clientCommands,
  innerCommands,
  sentForOneJob,
  withMonitor,
  workersMoved,
} from "../support/seen-commands.ts";
import { mean } from "../support/statistics.ts";
import { cpuUnit } from "../support/work.ts";
import { lastToEnd, untilAcknowledged } from "../support/worker-progress.ts";

const limitPerMinute = 15;
const settleMs = 3_000;
const wakeUps = 20;
/** The last job's worker has been told by then to wait for the next. */
const gapMs = 30;
const perMinute = "commands a minute of a worker";
const moved = "workers that move for one job, mean";

export const fleet: Scenario = {
  name: "fleet",
  description: "idle workers, each a process of its own: what they send, what one wake-up costs",
  peers: ["holdfast", "bullmq", "bee-queue"],
  targets: [
    { row: rowOf(50), metric: perMinute, atMost: limitPerMinute },
    // One, but that now and then the look of an idle worker falls into that time.
    { row: rowOf(50), metric: moved, atLeast: 1, atMost: 1.1 },
  ],
  timeLimitMs: 1_800_000,
  notQuick: "idle workers have to be watched for long",
  run: async (context) => {
    const figures = new Figures();
    const size = context.isQuick ? 5 : 50;
    const fleets = new Map<BenchPeer, Fleet>();
    for (const peer of context.peers) {
      context.progress(`${rowOf(size)}, starting those of ${peer.name}`);
      fleets.set(peer, await startFleet(context, peer, size));
    }
    await sleep(settleMs);
    await listen(context, figures, fleets);
    await interleave(context, `${rowOf(size)}, wake-ups`, (peer) =>
      wakeUp(context, figures, fleets.get(peer)!),
    );
    await Promise.all([...fleets.values()].map(({ queue }) => queue.remove()));
    return figures.all;
  },
};

interface Fleet {
  readonly facts: { readonly row: string; readonly peer: string };
  readonly queue: BenchQueue;
  readonly workers: readonly BenchProcess[];
  readonly producer: BenchProcess;
  jobs: number;
}

function rowOf(size: number): string {
  return `${size} idle workers`;
}

async function startFleet(
  { openQueue }: ScenarioContext,
  peer: BenchPeer,
  size: number,
): Promise<Fleet> {
  const queue = openQueue(peer);
  const workers = await startWorkers(queue, size, { concurrency: 1 });
  const producer = await queue.startProducer();
  return { facts: { row: rowOf(size), peer: peer.name }, queue, workers, producer, jobs: 0 };
}

/** To all at the same time: idle fleets do not disturb each other. */
async function listen(
  { server, repeats, isQuick, progress }: ScenarioContext,
  figures: Figures,
  fleets: ReadonlyMap<BenchPeer, Fleet>,
): Promise<void> {
  const windowMs = isQuick ? 10_000 : 30_000;
  const note = `from ${windowMs / 1_000} s at a time`;
  await withMonitor(server, async (see) => {
    for (let round = 1; round <= repeats; round += 1) {
      progress(`listening for ${windowMs / 1_000} s, ${round} of ${repeats}`);
      const seen = await see(() => sleep(windowMs));
      for (const { facts, queue, workers } of fleets.values()) {
        const commands = clientCommands(seen, queue.names.workers) / workers.length;
        const figure = { ...facts, metric: perMinute, unit: "commands", note };
        figures.add(figure, commands * (60_000 / windowMs));
      }
    }
  });
}

/** Jobs that are due at once, one after another: first counted, then timed. */
async function wakeUp({ server }: ScenarioContext, figures: Figures, fleet: Fleet): Promise<void> {
  const { facts, queue } = fleet;
  const workers: number[] = [];
  await withMonitor(server, async (see) => {
    for (let job = 0; job < wakeUps; job += 1) {
      await sleep(gapMs);
      let runner = "";
      const seen = await see(async () => {
        runner = await runOne(fleet);
      });
      const sent = sentForOneJob(seen, { ...queue.names, runner });
      workers.push(workersMoved(sent, queue.names.workers));
      const client = clientCommands(sent, queue.names.producer);
      figures.add({ ...facts, metric: "client commands of one job", unit: "commands" }, client);
      const inner = { ...facts, metric: "inner commands of one job", unit: "commands" };
      figures.add(inner, innerCommands(sent, queue.names.producer));
    }
  });
  figures.add({ ...facts, metric: moved, unit: "workers" }, mean(workers));
  const startedAt = performance.now();
  const [, busyCpu] = await server.withCpu(async () => {
    for (let job = 0; job < wakeUps; job += 1) {
      await sleep(gapMs);
      await runOne(fleet);
    }
  });
  const elapsedMs = performance.now() - startedAt;
  // What all idle workers and the server itself use in such a time is not the jobs'.
  const [, idleCpu] = await server.withCpu(() => sleep(elapsedMs));
  const cpu = { ...facts, metric: "server CPU of one job, above idling", unit: cpuUnit };
  figures.add(cpu, (busyCpu - idleCpu) / wakeUps);
}

/** Answers the name of the connections of the worker that ran it. */
async function runOne(fleet: Fleet): Promise<string> {
  const { queue, workers, producer } = fleet;
  await producer.ask("load", { jobs: 1 });
  fleet.jobs += 1;
  const progress = await untilAcknowledged(workers, fleet.jobs);
  return queue.connectionNameOf(lastToEnd(workers, progress));
}
