/**
 * Traces of jobs that are delayed, fail, are rejected, and lose their worker: a producer, two workers and a
 * collector, each worker in a process of its own, and one of them killed in the middle of a job. Start it with
 * `npm run demo:tracing`; a path after `--` says where the picture goes.
 */
import { randomBytes } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { constants, tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { findRedis } from "../../tools/redis/find-redis.ts";
import { onExit, unlessAborted } from "../shared/clean-up.ts";
import { removeKeys } from "../shared/remove-keys.ts";
import { Collector } from "./collector.ts";
import { DemoProcess } from "./demo-process.ts";
import type { ReceivedSpan } from "./otlp.ts";
import { isLinkedTo, storiesOf } from "./stories.ts";
import { timeline, type UnseenAttempt } from "./timeline.ts";
import { traceText } from "./trace-text.ts";

const KILLED_JOB = "order-5";
const OTHER_JOBS = ["order-1", "order-2", "order-3", "order-4"];
/** So that the picture shows some. */
const WORK_BEFORE_KILL_MS = 700;
const TIME_LIMIT_MS = 60_000;

const stop = new AbortController();
for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.on(name, () => {
    process.exitCode = 128 + constants.signals[name];
    stop.abort(new Error(`stopped by ${name}`));
  });
}
try {
  await runDemo(resolve(process.argv[2] ?? join(tmpdir(), "holdfast-timeline.svg")));
} catch (error) {
  console.error("The demo failed:", stop.signal.aborted ? stop.signal.reason.message : error);
  // What was still starting up ends with the process.
  process.exit(process.exitCode || 1);
}

async function runDemo(pictureFile: string): Promise<void> {
  const { signal } = stop;
  const redis = await unlessAborted(findRedis({ prefer: "local" }), signal);
  await using _redis = onExit(() => redis.stop());
  using _timeLimit = setTimeout(() => {
    stop.abort(new Error(`not finished after ${TIME_LIMIT_MS} ms`));
  }, TIME_LIMIT_MS);

  // A prefix of its own: whatever else this Redis holds is left alone.
  const prefix = `holdfast-demo-${randomBytes(6).toString("hex")}`;
  await using _keys = onExit(() => removeKeys(redis.url, prefix));
  await using collector = new Collector();
  await collector.listen();
  console.log(`Collector: ${collector.url}/v1/traces`);

  const environment = {
    REDIS_URL: redis.url,
    QUEUE_PREFIX: prefix,
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
  };
  const unseen = await play(collector, environment, signal);

  const stories = storiesOf(collector.spans);
  console.log(`\n${traceText(stories, collector.spans)}\n`);
  await writeFile(
    pictureFile,
    timeline(
      stories.find(({ id }) => id === KILLED_JOB)!,
      unseen,
    ),
  );
  console.log(`Timeline of ${KILLED_JOB}: ${pictureFile}`);
  const processed = stories.flatMap(({ creation, attempts }) =>
    attempts.map(({ span }) => ({ creation, span })),
  );
  const unlinked = processed.filter(({ span, creation }) => span && !isLinkedTo(span, creation));
  const traces = new Set(collector.spans.map(({ traceId }) => traceId));
  console.log(
    `${stories.length} jobs, ${processed.length} attempts, ${collector.spans.length} spans in ${traces.size} traces; ` +
      `${unlinked.length} attempts without a link to their creation.`,
  );
}

/** @returns what the killed worker could not tell any more */
async function play(
  collector: Collector,
  environment: NodeJS.ProcessEnv,
  signal: AbortSignal,
): Promise<UnseenAttempt> {
  await using first = new DemoProcess("worker-1", "./worker.ts", environment);
  await using second = new DemoProcess("worker-2", "./worker.ts", environment);
  const workers = [first, second];
  await Promise.all(
    workers.map((worker) => worker.line(({ event }) => event === "started", signal)),
  );
  await using producer = new DemoProcess("producer", "./producer.ts", environment);
  await producer.finished(signal);

  const { victim, startedAtMs } = await Promise.any(
    workers.map(async (worker) => {
      const line = await worker.line(
        (found) => found.event === "attempt" && found.id === KILLED_JOB,
        signal,
      );
      return { victim: worker, startedAtMs: line.atMs };
    }),
  );
  // It is killed with nothing else in hand: whatever it did before has been sent.
  await collector.received(
    OTHER_JOBS.map((id) => (span) => endsJob(span, id)),
    signal,
  );
  await sleep(WORK_BEFORE_KILL_MS, undefined, { signal });
  const killedAtMs = Date.now();
  await victim.kill();
  console.log(`SIGKILL to ${victim.name}, in the middle of ${KILLED_JOB}`);

  const survivor = workers.find((worker) => worker !== victim)!;
  const { atMs: expiredAtMs } = await survivor.line(
    (line) => line.event === "stalled" && line.ids.includes(KILLED_JOB),
    signal,
  );
  await collector.received([(span) => endsJob(span, KILLED_JOB)], signal);
  await survivor.terminate(signal);
  return { worker: victim.name, startedAtMs, killedAtMs, expiredAtMs };
}

function endsJob({ attributes }: ReceivedSpan, id: string): boolean {
  const operation = attributes["messaging.operation.name"];
  return (
    attributes["messaging.message.id"] === id &&
    (operation === "complete" || operation === "dead_letter")
  );
}
