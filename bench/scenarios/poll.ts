import type { BenchProcess } from "../support/bench-process.ts";
import type { BenchQueue } from "../support/bench-queue.ts";
import {
  type BenchPeer,
  Figures,
  interleave,
  type Scenario,
  type ScenarioContext,
} from "../support/scenario.ts";
import { cpuUnit, fillUp } from "../support/work.ts";

const sizes = [1_000, 10_000, 100_000, 1_000_000, 10_000_000];
const quickSizes = sizes.slice(1, 3);
/** Batch 0 is a poll that finds nothing due. */
const polls = [
  { batch: 0, claims: 2_000 },
  { batch: 1, claims: 2_000 },
  { batch: 10, claims: 1_000 },
  { batch: 100, claims: 200 },
];

/** What BullMQ's call takes, and what it is filled with: ten million of its jobs fill eight gigabytes. */
const limitsOfBullmq = { batch: 1, size: 1_000_000 };

const nameOf = (batch: number) => (batch === 0 ? "empty poll" : `claim of ${batch}`);
const speedOf = (batch: number) =>
  batch === 0 ? "empty polls a second" : `claims of ${batch} a second`;
const cpuOf = (batch: number) => `server CPU, ${nameOf(batch)}`;
const rowOf = (size: number) => `${size.toLocaleString("en-US")} delayed`;

export const poll: Scenario = {
  name: "poll",
  description: "claims by hand, one after another, against the number of jobs that are delayed",
  peers: ["holdfast", "bullmq", "floor"],
  targets: polls.map(({ batch }) => ({
    row: rowOf(10_000_000),
    metric: cpuOf(batch),
    against: { row: rowOf(10_000) },
    atMost: 1.5,
  })),
  timeLimitMs: 2_400_000,
  run: async (context) => {
    const figures = new Figures();
    const stages = new Map<BenchPeer, Stage>();
    for (const peer of context.peers) {
      const queue = context.openQueue(peer);
      const [producer, claimer] = [await queue.startProducer(), await queue.startClaimer()];
      stages.set(peer, { queue, producer, claimer, size: 0 });
    }
    for (const size of context.isQuick ? quickSizes : sizes) {
      const peers = context.peers.filter((peer) => size <= limitsOf(peer).size);
      for (const peer of peers) {
        const stage = stages.get(peer)!;
        context.progress(`${rowOf(size)}, ${peer.name}, filling the queue`);
        await fillUp(stage.producer, { jobs: size - stage.size });
        stage.size = size;
      }
      await interleave({ ...context, peers }, rowOf(size), (peer) =>
        measureSize(context, figures, peer, stages.get(peer)!),
      );
    }
    await Promise.all([...stages.values()].map(({ queue }) => queue.remove()));
    return figures.all;
  },
};

function limitsOf({ module }: BenchPeer): { readonly batch: number; readonly size: number } {
  return module === "bullmq" ? limitsOfBullmq : { batch: Infinity, size: Infinity };
}

interface Stage {
  readonly queue: BenchQueue;
  readonly producer: BenchProcess;
  readonly claimer: BenchProcess;
  size: number;
}

async function measureSize(
  { server, isQuick }: ScenarioContext,
  figures: Figures,
  peer: BenchPeer,
  { producer, claimer, size }: Stage,
): Promise<void> {
  const facts = { row: rowOf(size), peer: peer.name };
  const possible = polls.filter(({ batch }) => batch <= limitsOf(peer).batch);
  for (const { batch, claims: all } of possible) {
    const claims = isQuick ? all / 10 : all;
    if (batch > 0) {
      await producer.ask("load", { jobs: claims * batch });
    }
    const [{ claimed, elapsedMs }, serverCpu] = await server.withCpu(() =>
      claimer.ask<{ claimed: number; elapsedMs: number }>("claim", { claims, batch }),
    );
    if (claimed !== claims * batch) {
      throw new Error(`${peer.name}: ${claimed} instead of ${claims * batch} jobs were claimed`);
    }
    await claimer.ask("acknowledge");
    const speed = { ...facts, metric: speedOf(batch), unit: "calls/s" };
    figures.add(speed, (claims / elapsedMs) * 1_000);
    figures.add({ ...facts, metric: cpuOf(batch), unit: cpuUnit }, serverCpu / claims);
  }
}
