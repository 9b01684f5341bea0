/** How late handlers start: used with and without a network between. */
import type { BenchProcess } from "./bench-process.ts";
import { untilAcknowledged } from "./worker-progress.ts";
import { type BenchPeer, type Figures, interleave, type ScenarioContext } from "./scenario.ts";
import { percentile } from "./statistics.ts";
import { fillUp } from "./work.ts";

const concurrency = 100;
const minLeadMs = 1_000;
/** Slower than any peer enqueues: all jobs are stored before the first is due. */
const loadedPerMs = 4;
const warmUpJobs = 1_000;

export interface LatenessLoad {
  readonly row: string;
  readonly jobsPerSecond: number;
  readonly seconds: number;
  /** Jobs that are due much later, in the same queue. */
  readonly othersWaiting: number;
  readonly url?: string;
}

interface Stage {
  readonly worker: BenchProcess;
  readonly producer: BenchProcess;
  jobs: number;
  remove(): Promise<void>;
}

export async function measureLateness(
  context: ScenarioContext,
  figures: Figures,
  load: LatenessLoad,
): Promise<void> {
  const stages = new Map<BenchPeer, Stage>();
  for (const peer of context.peers) {
    context.progress(`${load.row}, ${peer.name}, filling the queue`);
    stages.set(peer, await openStage(context, peer, load));
  }
  await interleave(context, load.row, async (peer) => {
    const samples = await spread(stages.get(peer)!, load);
    for (const [metric, share] of Object.entries({ p50: 0.5, p99: 0.99, "p99.9": 0.999, max: 1 })) {
      const facts = { row: load.row, metric, unit: "ms", peer: peer.name };
      figures.add(facts, percentile(samples, share));
    }
  });
  await Promise.all([...stages.values()].map((stage) => stage.remove()));
}

async function openStage(
  { openQueue }: ScenarioContext,
  peer: BenchPeer,
  { othersWaiting, url }: LatenessLoad,
): Promise<Stage> {
  const queue = openQueue(peer, { url });
  const worker = await queue.startWorker({ concurrency, handler: "note-lateness" });
  const producer = await queue.startProducer();
  await producer.ask("load", { jobs: warmUpJobs });
  await untilAcknowledged([worker], warmUpJobs);
  if (othersWaiting > 0) {
    await fillUp(producer, { jobs: othersWaiting });
  }
  return { worker, producer, jobs: warmUpJobs, remove: () => queue.remove() };
}

async function spread(stage: Stage, { jobsPerSecond, seconds }: LatenessLoad): Promise<number[]> {
  const jobs = jobsPerSecond * seconds;
  const everyMs = 1_000 / jobsPerSecond;
  const leadMs = minLeadMs + jobs / loadedPerMs;
  const { leftMs } = await stage.producer.ask<{ leftMs: number }>("enqueueSpread", {
    jobs,
    everyMs,
    leadMs,
  });
  if (leftMs < 0) {
    throw new Error("the producer was too slow: jobs were due before they were enqueued");
  }
  stage.jobs += jobs;
  await untilAcknowledged([stage.worker], stage.jobs);
  const notes = await stage.worker.ask<[number, number][]>("notes");
  if (notes.length !== jobs) {
    throw new Error(`${jobs} jobs were enqueued, ${notes.length} ran`);
  }
  return notes.map(([, latenessMs]) => latenessMs);
}
