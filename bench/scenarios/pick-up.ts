import { measurePickUp } from "../support/pick-up.ts";
import { Figures, type Scenario } from "../support/scenario.ts";

const crowd = 20;
const rowOf = (workers: number) => `${workers} idle worker${workers === 1 ? "" : "s"}`;

export const pickUp: Scenario = {
  name: "pick-up",
  description: "from the call of enqueue to the start of the handler, on an idle queue",
  peers: ["holdfast", "bullmq", "bee-queue"],
  targets: [
    { row: rowOf(1), metric: "p50", atMost: 1 },
    { row: rowOf(crowd), metric: "p50", against: { row: rowOf(1) }, atMost: 1.2 },
  ],
  timeLimitMs: 1_200_000,
  run: async (context) => {
    const figures = new Figures();
    const jobs = context.isQuick ? 100 : 200;
    for (const workers of context.isQuick ? [1] : [1, crowd]) {
      await measurePickUp(context, figures, { row: rowOf(workers), jobs, workers });
    }
    return figures.all;
  },
};
