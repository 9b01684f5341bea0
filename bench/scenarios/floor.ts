import { Figures, interleave, type Scenario } from "../support/scenario.ts";
import { addDrain, loadAndDrain } from "../support/work.ts";

const quickShare = 0.2;
const loads = [
  { concurrency: 1, jobs: 5_000 },
  { concurrency: 10, jobs: 20_000 },
  { concurrency: 100, jobs: 60_000 },
  { concurrency: 1_000, jobs: 60_000 },
];

/** What the guarantees cost: the same data, moved with and without them. */
export const floor: Scenario = {
  name: "floor",
  description:
    "holdfast beside the bare commands that move the same data, pipelined, without any safety",
  peers: ["holdfast", "floor"],
  targets: [],
  timeLimitMs: 1_200_000,
  notQuick: "process and life-cycle show the floor too",
  run: async (context) => {
    const figures = new Figures();
    for (const { concurrency, jobs: fullJobs } of loads) {
      const jobs = fullJobs * (context.isQuick ? quickShare : 1);
      const row = `at most ${concurrency.toLocaleString("en-US")} jobs at a time`;
      await interleave(context, row, async (peer) => {
        const result = await loadAndDrain(context, peer, { jobs, worker: { concurrency } });
        addDrain(figures, { row, peer: peer.name }, jobs, result);
      });
    }
    return figures.all;
  },
};
