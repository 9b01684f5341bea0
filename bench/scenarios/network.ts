import { BenchProcess } from "../support/bench-process.ts";
import { BenchServer } from "../support/bench-server.ts";
import { ping } from "../support/figures.ts";
import { measureLateness } from "../support/lateness.ts";
import { measurePickUp } from "../support/pick-up.ts";
import { Figures, interleave, type Scenario, type ScenarioContext } from "../support/scenario.ts";
import { percentile } from "../support/statistics.ts";
import { addDrain, countDrain, loadAndDrain } from "../support/work.ts";

const latencyMs = 1;
const pings = 500;
const concurrency = 100;
const processRow = `process, concurrency ${concurrency}`;
const jobsPerSecond = 1_000;

export const network: Scenario = {
  name: "network",
  description: `with ${latencyMs} ms of added round trip between the processes and the server`,
  peers: ["holdfast", "bullmq", "bee-queue"],
  targets: [{ row: processRow, metric: "jobs a second", against: { peer: "bullmq" }, atLeast: 5 }],
  timeLimitMs: 1_800_000,
  notQuick: "it repeats process and pick-up over a network",
  run: async (context) => {
    const figures = new Figures();
    const { hostname: host, port } = new URL(context.server.url);
    const proxy = new BenchProcess("proxy.ts", { host, port: Number(port), latencyMs });
    try {
      const url = `redis://127.0.0.1:${await proxy.ask<number>("port")}`;
      await measurePings(context, figures, url);
      await measureAll(context, figures, url);
    } finally {
      await proxy.kill();
    }
    return figures.all;
  },
};

/** How long a round trip takes indeed: timers are not exact, and the proxy takes its time too. */
async function measurePings(
  { server, repeats }: ScenarioContext,
  figures: Figures,
  url: string,
): Promise<void> {
  const far = new BenchServer(url);
  try {
    const ways = Object.entries({ "without it": server, "with it": far });
    for (const [row, { client }] of Array.from({ length: repeats }, () => ways).flat()) {
      await client.ping();
      const samples: number[] = [];
      for (let n = 0; n < pings; n += 1) {
        const sentAt = performance.now();
        await client.ping();
        samples.push(performance.now() - sentAt);
      }
      const facts = { row: `a round trip, ${row}`, metric: "p50", unit: "ms", peer: ping };
      figures.add(facts, percentile(samples, 0.5));
    }
  } finally {
    far.close();
  }
}

async function measureAll(context: ScenarioContext, figures: Figures, url: string): Promise<void> {
  const jobs = context.isQuick ? 5_000 : 50_000;
  const worker = { concurrency };
  await interleave(context, processRow, async (peer, round) => {
    const drain = { settings: { url }, worker };
    const result = await loadAndDrain(context, peer, { jobs, ...drain });
    addDrain(figures, { row: processRow, peer: peer.name }, jobs, result);
    if (round === 0) {
      await countDrain(context, figures, { row: processRow, peer, ...drain });
    }
  });
  const pickUps = context.isQuick ? 50 : 300;
  await measurePickUp(context, figures, {
    row: "pick-up",
    warmUpJobs: 100,
    jobs: pickUps,
    workers: 1,
    url,
  });
  if (!context.isQuick) {
    const row = `lateness, ${jobsPerSecond.toLocaleString("en-US")}/s`;
    const load = { row, jobsPerSecond, seconds: 5, othersWaiting: 0, url };
    await measureLateness(context, figures, load);
  }
}
