import { Figures, interleave, type Scenario } from "../support/scenario.ts";
import { addDrain, countDrain, loadAndDrain } from "../support/work.ts";

const worker = { concurrency: 100 };
const without = "API without SDK";
const untraced = 'SDK, and trace: "none"';
const recording = "SDK that records every span";

export const tracing: Scenario = {
  name: "tracing",
  description: `what OpenTelemetry costs: jobs that do nothing, concurrency ${worker.concurrency}`,
  peers: ["holdfast", "bullmq"],
  targets: [
    {
      row: recording,
      metric: "jobs a second",
      against: { peer: "bullmq", row: without },
      atLeast: 3,
    },
  ],
  timeLimitMs: 1_200_000,
  run: async (context) => {
    const figures = new Figures();
    const jobs = context.isQuick ? 5_000 : 100_000;
    await interleave(context, "with and without", async (peer, round) => {
      for (const row of peer.module === "holdfast" ? [without, untraced, recording] : [without]) {
        const settings = { hasTracing: row !== without, isUntraced: row === untraced };
        const result = await loadAndDrain(context, peer, { jobs, settings, worker });
        addDrain(figures, { row, peer: peer.name }, jobs, result);
        if (round === 0) {
          await countDrain(context, figures, { row, peer, settings, worker });
        }
      }
    });
    return figures.all;
  },
};
