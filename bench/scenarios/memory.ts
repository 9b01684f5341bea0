import { setTimeout as sleep } from "node:timers/promises";
import { Figures, interleave, type Scenario } from "../support/scenario.ts";
import { fillUp } from "../support/work.ts";

const payloadBytes = 166;
const settleMs = 1_000;
const quickSettleMs = 200;
const metric = "bytes a job";

export const memory: Scenario = {
  name: "memory",
  description: `server memory for each delayed job with ${payloadBytes} bytes of JSON`,
  peers: ["holdfast", "bullmq", "bee-queue", "floor"],
  targets: [{ row: rowOf(1_000_000), metric, against: { peer: "bullmq" }, atMost: 0.56 }],
  timeLimitMs: 1_800_000,
  run: async (context) => {
    const figures = new Figures();
    const { server } = context;
    const jobs = context.isQuick ? 5_000 : 1_000_000;
    const row = rowOf(jobs);
    await interleave(context, row, async (peer) => {
      const queue = context.openQueue(peer);
      const before = await server.usedMemoryBytes();
      const producer = await queue.startProducer();
      await fillUp(producer, { jobs, payloadBytes });
      await producer.kill();
      // Until the growing tables are moved over and the buffers of the producer are gone.
      await sleep(context.isQuick ? quickSettleMs : settleMs);
      const used = (await server.usedMemoryBytes()) - before;
      figures.add({ row, metric, unit: "bytes", peer: peer.name }, used / jobs);
      await queue.remove();
    });
    return figures.all;
  },
};

function rowOf(jobs: number): string {
  return `${jobs.toLocaleString("en-US")} delayed jobs`;
}
