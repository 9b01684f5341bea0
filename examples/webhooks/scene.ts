/** What happens to the workers while they deliver. */
import { on } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import type { Queue, QueueStats } from "holdfast";
import { Progress } from "./progress.ts";
import type { Webhook } from "./queue.ts";
import type { Receiver } from "./receiver.ts";
import type { KilledWorker, TerminatedWorker } from "./report.ts";
import type { WorkerProcess } from "./worker-process.ts";

const KILL_AFTER_MS = 3_500;
const TERMINATE_AFTER_MS = 7_000;
/** The receiver is in the middle of answering this many: their jobs are surely held. */
const CALLS_HELD_AT_LEAST = 3;
const STATS_INTERVAL_MS = 250;

export interface Scene {
  readonly queue: Queue<Webhook>;
  readonly receiver: Receiver;
  readonly workers: readonly WorkerProcess[];
  readonly deliveries: number;
}

export interface Fates {
  readonly killed: KilledWorker;
  readonly terminated: TerminatedWorker;
}

/** Kills one worker, tells another to stop, and waits until the queue is empty. */
export async function playScene(scene: Scene, signal: AbortSignal): Promise<Fates> {
  let stats: QueueStats | undefined;
  using progress = new Progress(() => describe(scene, stats));
  const disrupted = disrupt(scene, progress, signal);
  const emptied = untilEmpty(scene.queue, signal, (latest) => {
    stats = latest;
  });
  const [{ killed, terminated }] = await Promise.all([disrupted, emptied]);
  progress.note("the queue is empty");
  const stalledIds = scene.workers.flatMap((worker) => worker.stalledIds);
  // Beside the jobs of open calls: those claimed but not yet sent, or answered but not acknowledged.
  const heldIds = new Set([...killed.heldIds, ...stalledIds]);
  return { killed: { ...killed, heldIds }, terminated };
}

async function disrupt(scene: Scene, progress: Progress, signal: AbortSignal): Promise<Fates> {
  const { receiver, workers } = scene;
  await sleep(KILL_AFTER_MS, undefined, { signal });
  const victim = await findHolder(receiver, workers, signal);
  const openCalls = receiver.openCalls(victim.name);
  const killedAtMs = Date.now();
  const killing = victim.kill();
  progress.note(`SIGKILL to ${victim.name}, in the middle of ${openCalls.length} calls`);
  await killing;
  const heldIds = new Set(openCalls.map(({ jobId }) => jobId));

  await sleep(TERMINATE_AFTER_MS - KILL_AFTER_MS, undefined, { signal });
  const others = workers.filter((worker) => worker !== victim);
  const leaver = await findHolder(receiver, others, signal);
  const { length: openCount } = receiver.openCalls(leaver.name);
  const terminating = leaver.terminate();
  progress.note(`SIGTERM to ${leaver.name}, in the middle of ${openCount} calls`);
  const ending = await terminating;
  progress.note(`${leaver.name} closed, ${ending}`);
  const { name, closeSummary: summary } = leaver;
  return {
    killed: { name: victim.name, killedAtMs, heldIds },
    terminated: { name, ending, summary },
  };
}

/**
 * Resolves with a worker in the very moment in which the receiver is busy with enough of its calls:
 * no answer is sent between that and what the caller does next.
 */
async function findHolder(
  receiver: Receiver,
  workers: readonly WorkerProcess[],
  signal: AbortSignal,
): Promise<WorkerProcess> {
  for await (const _ of on(receiver, "call", { signal })) {
    const holder = workers.find(
      ({ name }) => receiver.openCalls(name).length >= CALLS_HELD_AT_LEAST,
    );
    if (holder) {
      return holder;
    }
  }
  throw new Error("the receiver's calls have ended");
}

async function untilEmpty(
  queue: Queue<Webhook>,
  signal: AbortSignal,
  onStats: (stats: QueueStats) => void,
): Promise<void> {
  for (;;) {
    const stats = await queue.stats();
    onStats(stats);
    if (stats.delayed + stats.due + stats.processing === 0) {
      return;
    }
    await sleep(STATS_INTERVAL_MS, undefined, { signal });
  }
}

function describe({ deliveries, receiver, workers }: Scene, stats: QueueStats | undefined): string {
  const parts = [
    `delivered ${receiver.acceptedIds.size} of ${deliveries}`,
    `refused ${receiver.refusedCount}`,
    `delayed ${stats?.delayed ?? "?"}`,
    `due ${stats?.due ?? "?"}`,
    `in hand ${stats?.processing ?? "?"}`,
    `workers ${workers.filter((worker) => worker.isRunning).length}`,
  ];
  return parts.join("   ");
}
