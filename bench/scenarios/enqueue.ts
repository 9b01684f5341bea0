import {
  Figures,
  interleave,
  type BenchPeer,
  type Scenario,
  type ScenarioContext,
} from "../support/scenario.ts";
import { addCommands, cpuUnit, seenDuring, warmUpJobs } from "../support/work.ts";

const delayMs = 60 * 60 * 1_000;
const quickShare = 0.1;
const countedJobs = 1_000;
const togetherSize = 1_000;
const bulkSize = 10_000;

interface Way {
  readonly name: string;
  readonly request: string;
  readonly size: number;
  /** With the smallest payload; with larger ones fewer, so that the server's memory is no topic. */
  readonly jobs: number;
}

const ways: readonly Way[] = [
  { name: "one by one", request: "enqueueOneByOne", size: 1, jobs: 5_000 },
  { name: "awaited together", request: "enqueueTogether", size: togetherSize, jobs: 100_000 },
  { name: "enqueueMany", request: "enqueueMany", size: bulkSize, jobs: 100_000 },
];

const payloads = [
  { name: "100 B", payloadBytes: 100, share: 1 },
  { name: "1 kB", payloadBytes: 1_000, share: 0.5 },
  { name: "10 kB", payloadBytes: 10_000, share: 0.1 },
];

const row = "awaited together, 100 B";
const metric = "jobs a second";

export const enqueue: Scenario = {
  name: "enqueue",
  description: "delayed jobs from one producer process: awaited singly, together, and in bulk",
  peers: ["holdfast", "bullmq", "bee-queue", "floor"],
  targets: [
    { row, metric, against: { peer: "bullmq" }, atLeast: 5 },
    { row, metric, against: { peer: "bullmq", row: "enqueueMany, 100 B" }, atLeast: 4 },
  ],
  timeLimitMs: 2_400_000,
  run: async (context) => {
    const figures = new Figures();
    for (const payload of context.isQuick ? payloads.slice(0, 1) : payloads) {
      for (const way of ways) {
        const jobs = way.jobs * payload.share * (context.isQuick ? quickShare : 1);
        const label = `${way.name}, ${payload.name}`;
        await interleave(context, label, async (peer, round) => {
          const argument = { jobs, size: way.size, delayMs, payloadBytes: payload.payloadBytes };
          const facts = { row: label, peer: peer.name };
          await measureEnqueue(context, peer, figures, { facts, way, argument });
          if (round === 0) {
            await countEnqueue(context, peer, figures, { facts, way, argument });
          }
        });
      }
    }
    return figures.all;
  },
};

interface Case {
  readonly facts: { row: string; peer: string };
  readonly way: Way;
  readonly argument: { jobs: number; size: number; delayMs: number; payloadBytes: number };
}

async function measureEnqueue(
  { server, openQueue, isQuick }: ScenarioContext,
  peer: BenchPeer,
  figures: Figures,
  { facts, way: { request }, argument }: Case,
): Promise<void> {
  const { jobs } = argument;
  const queue = openQueue(peer);
  const producer = await queue.startProducer();
  await producer.ask(request, { ...argument, jobs: isQuick ? jobs : warmUpJobs(jobs) });
  const [result, serverCpu] = await server.withCpu(() =>
    producer.ask<{ elapsedMs: number; cpuMicroseconds: number }>(request, argument),
  );
  await queue.remove();
  figures.add({ ...facts, metric, unit: "jobs/s" }, (jobs / result.elapsedMs) * 1_000);
  figures.add({ ...facts, metric: "server CPU a job", unit: cpuUnit }, serverCpu / jobs);
  const producerCpu = result.cpuMicroseconds / jobs;
  figures.add({ ...facts, metric: "producer CPU a job", unit: cpuUnit }, producerCpu);
}

async function countEnqueue(
  { server, openQueue }: ScenarioContext,
  peer: BenchPeer,
  figures: Figures,
  { facts, way: { request }, argument }: Case,
): Promise<void> {
  const queue = openQueue(peer);
  const producer = await queue.startProducer();
  await producer.ask(request, { ...argument, jobs: 1 });
  const counted = { ...argument, jobs: countedJobs };
  const seen = await seenDuring(server, () => producer.ask(request, counted));
  addCommands(figures, facts, { seen, queue, jobs: countedJobs });
  await queue.remove();
}
