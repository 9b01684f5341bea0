/** How soon a job starts that finds an idle queue: used with and without a network between. */
import type { BenchProcess } from "./bench-process.ts";
import { type BenchQueue, startWorkers } from "./bench-queue.ts";
import { type BenchPeer, type Figures, interleave, type ScenarioContext } from "./scenario.ts";
import { sentForOneJob, withMonitor, workersMoved } from "./seen-commands.ts";
import { mean, percentile } from "./statistics.ts";
import { lastToEnd, untilAcknowledged } from "./worker-progress.ts";

const pace = { minGapMs: 10, maxGapMs: 20 };

/** Exactly one worker should do anything for one job. The mean, for a median would not show a few with two. */
export const claimers = "workers that claim for one job, mean";

export interface PickUpLoad {
  readonly row: string;
  readonly warmUpJobs: number;
  readonly jobs: number;
  readonly workers: number;
  /** So many more jobs are looked at by MONITOR, for the workers that each of them moves. */
  readonly countedJobs?: number;
  readonly url?: string;
}

export async function measurePickUp(
  context: ScenarioContext,
  figures: Figures,
  load: PickUpLoad,
): Promise<void> {
  await interleave(context, load.row, async (peer) => {
    const facts = { row: load.row, peer: peer.name };
    const stage = await openStage(context, peer, load);
    const samples = await pickUps(stage, load.jobs);
    for (const [metric, share] of Object.entries({ p50: 0.5, p99: 0.99 })) {
      figures.add({ ...facts, metric, unit: "ms" }, percentile(samples, share));
    }
    if (load.countedJobs) {
      const counts = await countClaimers(context, stage, load.countedJobs);
      figures.add({ ...facts, metric: claimers, unit: "workers" }, mean(counts));
    }
    await stage.queue.remove();
  });
}

interface Stage {
  readonly queue: BenchQueue;
  readonly workers: readonly BenchProcess[];
  readonly producer: BenchProcess;
  jobs: number;
}

async function openStage(
  { openQueue }: ScenarioContext,
  peer: BenchPeer,
  { workers: count, warmUpJobs, url }: PickUpLoad,
): Promise<Stage> {
  const queue = openQueue(peer, { url });
  const workers = await startWorkers(queue, count, { concurrency: 1, handler: "note-start" });
  const stage = { queue, workers, producer: await queue.startProducer(), jobs: 0 };
  await pickUps(stage, warmUpJobs);
  return stage;
}

async function pickUps(stage: Stage, jobs: number): Promise<number[]> {
  const { workers, producer } = stage;
  const calls = await producer.ask<[number, number][]>("enqueuePaced", { jobs, ...pace });
  stage.jobs += jobs;
  await untilAcknowledged(workers, stage.jobs);
  const notes = await Promise.all(workers.map((worker) => worker.ask<[number, number][]>("notes")));
  const startedAtMs = new Map(notes.flat());
  return calls.map(([n, calledAtMs]) => startedAtMs.get(n)! - calledAtMs);
}

async function countClaimers(
  { server }: ScenarioContext,
  stage: Stage,
  jobs: number,
): Promise<number[]> {
  const { queue, workers, producer } = stage;
  return withMonitor(server, async (see) => {
    const counts: number[] = [];
    while (counts.length < jobs) {
      let runner = "";
      const seen = await see(async () => {
        await producer.ask("enqueuePaced", { jobs: 1, ...pace });
        stage.jobs += 1;
        const progress = await untilAcknowledged(workers, stage.jobs);
        runner = queue.connectionNameOf(lastToEnd(workers, progress));
      });
      const sent = sentForOneJob(seen, { ...queue.names, runner });
      counts.push(workersMoved(sent, queue.names.workers));
    }
    return counts;
  });
}
