import { Figures, type Scenario } from "../support/scenario.ts";
import { measureLateness } from "../support/lateness.ts";

const rates = [100, 1_000, 5_000];
const others = [100_000, 1_000_000];
const waitingRate = 1_000;
/** So that one in a thousand is not the last of them. */
const leastJobs = 1_500;

const row = rowOf(waitingRate, 0);
const waitingRow = rowOf(waitingRate, 1_000_000);

export const lateness: Scenario = {
  name: "lateness",
  description: "start of the handler minus due time, of delayed jobs due at an even pace",
  peers: ["holdfast", "bullmq", "bee-queue"],
  targets: [
    { row, metric: "p50", atMost: 1 },
    { row, metric: "p99", atMost: 3 },
    { row, metric: "p99", against: { peer: "bullmq" }, atMost: 1 / 20 },
    { row: waitingRow, metric: "p50", against: { row }, atMost: 1.2 },
    { row: waitingRow, metric: "p99", against: { row }, atMost: 1.2 },
  ],
  timeLimitMs: 3_600_000,
  run: async (context) => {
    const figures = new Figures();
    const loads = [
      ...rates.map((jobsPerSecond) => ({ jobsPerSecond, othersWaiting: 0 })),
      ...others.map((othersWaiting) => ({ jobsPerSecond: waitingRate, othersWaiting })),
    ];
    for (const { jobsPerSecond, othersWaiting } of context.isQuick ? loads.slice(1, 2) : loads) {
      const load = {
        row: rowOf(jobsPerSecond, othersWaiting),
        jobsPerSecond,
        othersWaiting,
        seconds: context.isQuick ? 1 : Math.max(5, leastJobs / jobsPerSecond),
      };
      await measureLateness(context, figures, load);
    }
    return figures.all;
  },
};

function rowOf(jobsPerSecond: number, othersWaiting: number): string {
  const pace = `${jobsPerSecond.toLocaleString("en-US")}/s`;
  return othersWaiting === 0
    ? pace
    : `${pace}, ${othersWaiting.toLocaleString("en-US")} others waiting`;
}
