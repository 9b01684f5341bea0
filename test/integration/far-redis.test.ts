/** A worker over a network whose round trip takes longer than its jobs. On a server of its own. */
import { expect, onTestFinished, test } from "vitest";
import { Queue, Worker } from "../../src/index.ts";
import { startServer } from "../../tools/redis/start-server.ts";
import { openCommandMonitor } from "../helpers/command-monitor.ts";
import { startFaultProxy } from "../helpers/fault-proxy.ts";
import { failOnLeaks } from "../helpers/leak-check.ts";
import { rawRedis } from "../helpers/redis.ts";

failOnLeaks();

test("claims for all of its slots at a time, not for half of them", async () => {
  const server = await startServer();
  onTestFinished(() => server.stop());
  const proxy = await startFaultProxy({ targetPort: Number(new URL(server.url).port) });
  onTestFinished(() => proxy.stop());
  const monitor = await openCommandMonitor(rawRedis(server.url));
  onTestFinished(() => monitor.close());
  proxy.setLatencyMs(5);

  const queue = new Queue<number>("far", { connection: proxy.url });
  const numbers = Array.from({ length: 450 }, (_, number) => number);
  await queue.enqueueMany(numbers.map((data) => ({ data })));
  let left = numbers.length;
  const worker = new Worker(queue, () => undefined, { concurrency: 100 });
  const commands = await monitor.during(async () => {
    const allDone = new Promise<void>((resolve) => {
      worker.on("completed", () => {
        left -= 1;
        if (left === 0) resolve();
      });
    });
    await worker.start();
    await allDone;
    await worker.close();
  });
  await queue.close();

  const inner = commands.flatMap((command) => (command.name === "claim" ? command.inner : []));
  const sizes = inner
    .filter(looksForDueJobs)
    .map((args) => Number(args[args.indexOf("LIMIT") + 2]));
  expect(sizes.slice(0, 5)).toEqual([50, 100, 100, 100, 100]);
});

function looksForDueJobs(args: readonly string[]): boolean {
  return args[1]?.endsWith(":delayed") === true && args.includes("BYSCORE");
}
