import { interleave, Figures, type Scenario } from "../support/scenario.ts";
import { addDrain, countDrain, loadAndDrain } from "../support/work.ts";

const quickShare = 0.1;
const quickConcurrencies = new Set([1, 100, 1_000]);

interface Load {
  readonly concurrency: number;
  readonly jobs: number;
  readonly processes?: number;
  /** Jobs that a worker claims ahead: of the peers that can do that alone. */
  readonly prefetch?: number;
}

const loads: readonly Load[] = [
  { concurrency: 1, jobs: 5_000 },
  { concurrency: 1, jobs: 50_000, prefetch: 10 },
  { concurrency: 10, jobs: 40_000 },
  { concurrency: 100, jobs: 120_000 },
  { concurrency: 1_000, jobs: 120_000 },
  { concurrency: 100, jobs: 120_000, processes: 4 },
];

const metric = "jobs a second";
const times = (row: string, peer: string, atLeast: number) => ({
  row,
  metric,
  against: { peer },
  atLeast,
});

export const processJobs: Scenario = {
  name: "process",
  description: "jobs that do nothing, enqueued beforehand, worked off by warm workers",
  peers: ["holdfast", "bullmq", "bee-queue", "floor"],
  targets: [
    times("concurrency 1", "bullmq", 1.5),
    times("concurrency 10", "bullmq", 2.5),
    times("concurrency 100", "bullmq", 6.5),
    times("concurrency 1,000", "bullmq", 10),
    times("concurrency 100", "bee-queue", 3.5),
  ],
  timeLimitMs: 2_400_000,
  run: async (context) => {
    const figures = new Figures();
    for (const load of context.isQuick ? loads.filter(isQuick) : loads) {
      const { concurrency, processes = 1, prefetch = 0 } = load;
      const jobs = load.jobs * (context.isQuick ? quickShare : 1);
      const row = rowOf(load);
      const worker = { concurrency, prefetch };
      const peers = context.peers.filter(({ module }) => prefetch === 0 || module === "holdfast");
      await interleave({ ...context, peers }, row, async (peer, round) => {
        const result = await loadAndDrain(context, peer, { jobs, processes, worker });
        addDrain(figures, { row, peer: peer.name }, jobs, result);
        if (round === 0) {
          await countDrain(context, figures, { row, peer, processes, worker });
        }
      });
    }
    return figures.all;
  },
};

function isQuick({ concurrency, processes, prefetch }: Load): boolean {
  const isPlain = processes === undefined && prefetch === undefined;
  return isPlain && quickConcurrencies.has(concurrency);
}

function rowOf({ concurrency, processes, prefetch }: Load): string {
  const row = `concurrency ${concurrency.toLocaleString("en-US")}`;
  return [
    row,
    ...(processes ? [`${processes} processes`] : []),
    ...(prefetch ? [`prefetch ${prefetch}`] : []),
  ].join(", ");
}
