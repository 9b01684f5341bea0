import { claimers, measurePickUp } from "../support/pick-up.ts";
import { type BenchPeer, Figures, type Scenario } from "../support/scenario.ts";

const crowd = 20;
const rowOf = (workers: number) => `${workers} idle worker${workers === 1 ? "" : "s"}`;

export const pickUp: Scenario = {
  name: "pick-up",
  description: "from the call of enqueue to the start of the handler, on an idle queue",
  peers: ["holdfast", "bullmq", "bee-queue", "floor"],
  targets: [
    { row: rowOf(1), metric: "p50", atMost: 1 },
    { row: rowOf(crowd), metric: "p50", against: { row: rowOf(1) }, atMost: 1.2 },
    // One, but that now and then the look of an idle worker falls into the two milliseconds.
    { row: rowOf(crowd), metric: claimers, atLeast: 1, atMost: 1.05 },
  ],
  timeLimitMs: 1_200_000,
  run: async (context) => {
    const figures = new Figures();
    const load = context.isQuick ? { warmUpJobs: 20, jobs: 50 } : { warmUpJobs: 100, jobs: 200 };
    const peers = context.peers.map(woken);
    await measurePickUp({ ...context, peers }, figures, { row: rowOf(1), workers: 1, ...load });
    if (!context.isQuick) {
      const many = { row: rowOf(crowd), workers: crowd, countedJobs: 20, ...load };
      await measurePickUp({ ...context, peers: peers.filter(canChoose) }, figures, many);
    }
    return figures.all;
  },
};

const wokenFloor = "floor-wake";

/** The floor of all other scenarios asks every millisecond; this one is woken as ours is. */
function woken(peer: BenchPeer): BenchPeer {
  return peer.module === "floor" ? { ...peer, module: wokenFloor } : peer;
}

/** Whether it can wake one of several workers. */
function canChoose({ module }: BenchPeer): boolean {
  return module !== wokenFloor;
}
