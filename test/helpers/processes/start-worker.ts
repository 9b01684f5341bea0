import { join } from "node:path";
import { testClusterNodes, testRedisUrl } from "../redis.ts";
import { type Child, startChild } from "./child.ts";
import type { WorkerMessage, WorkerTask } from "./worker-task.ts";

export interface WorkerProcess extends Child<WorkerMessage> {
  /** Lets its handlers finish. */
  readonly finish: () => void;
}

/** Starts a worker process, which is gone after the test in any case. */
export function startWorkerProcess(task: Omit<WorkerTask, "redis">): WorkerProcess {
  const program = join(import.meta.dirname, "worker.ts");
  const nodes = testClusterNodes();
  const redis = nodes.length > 0 ? nodes : testRedisUrl();
  const child = startChild<WorkerMessage>(program, { ...task, redis } satisfies WorkerTask);
  return { ...child, finish: () => child.send("finish") };
}
