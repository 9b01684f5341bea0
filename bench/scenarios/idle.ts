import { setTimeout as sleep } from "node:timers/promises";
import type { BenchServer } from "../support/bench-server.ts";
import { type Measurement, repeat, type Scenario } from "../support/scenario.ts";

const settleMs = 2_000;
const limitPerMinute = 15;
const connectionName = `holdfast-bench-idle-${process.pid}`;

export const idle: Scenario = {
  name: "idle",
  description: "client commands a minute of an idle worker at its defaults, seen by MONITOR",
  target: `at most ${limitPerMinute}`,
  timeLimitMs: 1_200_000,
  run: (context) =>
    repeat(context, async (progress) => {
      const windowMs = context.isQuick ? 20_000 : 60_000;
      const commands = await context.withQueue(async (queue) => {
        await queue.startWorker({ handler: "no-op", options: {}, connectionName });
        await sleep(settleMs);
        progress(`listening for ${windowMs / 1_000} s`);
        return listen(context.server, windowMs);
      });
      return [commandsPerMinute(commands, windowMs)];
    }),
};

/** The names of the commands that the worker's connections sent. What its scripts call is not among them. */
async function listen(server: BenchServer, windowMs: number): Promise<string[]> {
  const addresses = await workerAddresses(server);
  const commands: string[] = [];
  const monitor = await server.client.monitor();
  try {
    monitor.on("monitor", (_time: string, args: string[], source: string) => {
      if (addresses.has(source)) {
        commands.push(args[0]?.toLowerCase() ?? "");
      }
    });
    await sleep(windowMs);
  } finally {
    monitor.disconnect();
  }
  const addressesAfter = await workerAddresses(server);
  if (addresses.size === 0 || [...addressesAfter].join(" ") !== [...addresses].join(" ")) {
    throw new Error("the worker's connections changed while it was listened to");
  }
  return commands;
}

async function workerAddresses(server: BenchServer): Promise<Set<string>> {
  const clients = String(await server.client.client("LIST")).split("\n");
  const own = clients.filter((line) => line.includes(` name=${connectionName} `));
  return new Set(own.map((line) => / addr=(\S+)/.exec(line)?.[1] ?? "").toSorted());
}

function commandsPerMinute(commands: readonly string[], windowMs: number): Measurement {
  const counts = new Map<string, number>();
  for (const command of commands) {
    counts.set(command, (counts.get(command) ?? 0) + 1);
  }
  const seen = [...counts].map(([command, count]) => `${count} ${command}`).join(", ");
  const isExtrapolated = windowMs < 60_000;
  return {
    metric: "commands",
    unit: "per minute",
    value: commands.length * (60_000 / windowMs),
    atMost: limitPerMinute,
    note: `${isExtrapolated ? "extrapolated from " : ""}${windowMs / 1_000} s; last: ${seen || "none"}`,
  };
}
