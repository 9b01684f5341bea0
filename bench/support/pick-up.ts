/** How soon a job starts that finds an idle queue: used with and without a network between. */
import { startWorkers, untilAcknowledged } from "./bench-queue.ts";
import { type BenchPeer, type Figures, interleave, type ScenarioContext } from "./scenario.ts";
import { percentile } from "./statistics.ts";

const minGapMs = 10;
const maxGapMs = 20;
const warmUpJobs = 100;

export interface PickUpLoad {
  readonly row: string;
  readonly jobs: number;
  readonly workers: number;
  readonly url?: string;
}

export async function measurePickUp(
  context: ScenarioContext,
  figures: Figures,
  load: PickUpLoad,
): Promise<void> {
  await interleave(context, load.row, async (peer) => {
    const samples = await pickUps(context, peer, load);
    for (const [metric, share] of Object.entries({ p50: 0.5, p99: 0.99 })) {
      const facts = { row: load.row, metric, unit: "ms", peer: peer.name };
      figures.add(facts, percentile(samples, share));
    }
  });
}

async function pickUps(
  { openQueue }: ScenarioContext,
  peer: BenchPeer,
  { jobs, workers: count, url }: PickUpLoad,
): Promise<number[]> {
  const queue = openQueue(peer, { url });
  const settings = { concurrency: 1, handler: "note-start" } as const;
  const workers = await startWorkers(queue, count, settings);
  const producer = await queue.startProducer();
  const pace = { minGapMs, maxGapMs };
  await producer.ask("enqueuePaced", { jobs: warmUpJobs, ...pace });
  await untilAcknowledged(workers, warmUpJobs);
  await Promise.all(workers.map((worker) => worker.ask("notes")));
  const calledAtMs = await producer.ask<number[]>("enqueuePaced", { jobs, ...pace });
  await untilAcknowledged(workers, warmUpJobs + jobs);
  const notes = await Promise.all(workers.map((worker) => worker.ask<[number, number][]>("notes")));
  await queue.remove();
  const samples = notes.flat().map(([n, startedAtMs]) => startedAtMs - calledAtMs[n]!);
  if (samples.length !== jobs) {
    throw new Error(`${jobs} jobs were enqueued, ${samples.length} ran`);
  }
  return samples;
}
