/**
 * A queue at work, and its metrics for Prometheus, until Ctrl-C: something to look at with
 * docs/grafana-dashboard.json. Start it with `npm run demo:metrics`; a port after `--` replaces 9464.
 */
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { metrics } from "@opentelemetry/api";
import { DeadLetter, exponential, observeQueue, Queue, Worker } from "holdfast";
import { findRedis } from "../../tools/redis/find-redis.ts";
import { onExit } from "../shared/clean-up.ts";
import { removeKeys } from "../shared/remove-keys.ts";
import { serveMetrics } from "./prometheus.ts";

const JOB_INTERVAL_MS = 50;
const MAX_DELAY_MS = 2_000;
const MAX_WORK_MS = 200;

const stop = new AbortController();
const stopped = Promise.race([once(process, "SIGINT"), once(process, "SIGTERM")]);
void stopped.then(() => stop.abort());

const redis = await findRedis({ prefer: "local" });
await using _redis = onExit(() => redis.stop());
const prefix = `holdfast-demo-${randomBytes(6).toString("hex")}`;
await using _keys = onExit(() => removeKeys(redis.url, prefix));
const { meterProvider, url } = await serveMetrics(Number(process.argv[2] ?? 9_464));
await using _metrics = onExit(() => meterProvider.shutdown());
metrics.setGlobalMeterProvider(meterProvider);

await using queue = new Queue<number>("emails", { connection: redis.url, prefix });
// In one process only: others would report the same numbers again.
using _observer = observeQueue(queue);
await using worker = new Worker(queue, send, {
  maxAttempts: 4,
  backoff: exponential({ baseMs: 500, maxMs: 10_000 }),
});
worker.on("error", (error) => console.error(error.message));
await worker.start();
console.log(`Metrics: ${url}, until Ctrl-C`);

for (let sent = 0; !stop.signal.aborted; sent += 1) {
  await queue.enqueue(sent, { delayMs: Math.round(Math.random() * MAX_DELAY_MS) });
  await sleep(JOB_INTERVAL_MS, undefined, { signal: stop.signal }).catch(() => undefined);
}

/** Some fail now and then, and some for good. */
async function send(): Promise<void> {
  await sleep(Math.random() * MAX_WORK_MS);
  const luck = Math.random();
  if (luck < 0.01) throw new DeadLetter("no such address");
  if (luck < 0.1) throw new Error("the mail server is busy");
}
