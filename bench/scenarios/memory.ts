import { setTimeout as sleep } from "node:timers/promises";
import { repeat, type Scenario } from "../support/scenario.ts";

const payloadBytes = 166;
const dayMs = 24 * 60 * 60 * 1_000;
const settleMs = 1_000;
const limitBytes = 440;

export const memory: Scenario = {
  name: "memory",
  description: `server memory for each delayed job with ${payloadBytes} bytes of JSON`,
  target: `at most ${limitBytes} bytes`,
  timeLimitMs: 600_000,
  run: (context) =>
    repeat(context, async () => {
      const jobs = context.isQuick ? 20_000 : 200_000;
      const { server } = context;
      const otherKeys = await server.client.dbsize();
      const deltaBytes = await context.withQueue(async (queue) => {
        const before = await server.usedMemoryBytes();
        await queue.load({ jobs, payloadBytes, delayMs: dayMs });
        // Until the growing tables are moved over and the buffers of the producer are gone.
        await sleep(settleMs);
        return (await server.usedMemoryBytes()) - before;
      });
      return [
        {
          metric: "a delayed job",
          unit: "bytes",
          value: deltaBytes / jobs,
          atMost: limitBytes,
          note: `${jobs.toLocaleString("en-US")} jobs${otherKeys > 0 ? "; the server was not empty" : ""}`,
        },
      ];
    }),
};
