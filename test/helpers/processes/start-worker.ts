import { fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { testClusterNodes, testRedisUrl } from "../redis.ts";
import { waitFor } from "../wait-for.ts";
import type { WorkerMessage, WorkerTask } from "./worker-task.ts";

type Kind = WorkerMessage["kind"];
type Of<K extends Kind> = Extract<WorkerMessage, { kind: K }>;

export interface WorkerProcess {
  /** What it has told so far, of one kind. */
  readonly told: <K extends Kind>(kind: K) => Of<K>[];
  /** Resolves once it has told `count` messages of the kind, also if it ends then. */
  readonly tells: <K extends Kind>(kind: K, count?: number) => Promise<Of<K>[]>;
  /** Lets its handlers finish. */
  readonly finish: () => void;
  readonly signal: (name: "SIGKILL" | "SIGSTOP" | "SIGCONT" | "SIGTERM") => void;
  readonly ended: Promise<unknown>;
}

/** Starts a worker process, which is gone after the test in any case. */
export function startWorkerProcess(task: Omit<WorkerTask, "redis">): WorkerProcess {
  const program = join(import.meta.dirname, "worker.ts");
  const nodes = testClusterNodes();
  const redis = nodes.length > 0 ? nodes : testRedisUrl();
  const child = fork(program, [JSON.stringify({ ...task, redis } satisfies WorkerTask)], {
    execArgv: ["--import", "tsx"],
  });
  const messages: WorkerMessage[] = [];
  child.on("message", (message) => messages.push(message as WorkerMessage));
  const ended = once(child, "exit");
  onTestFinished(async () => {
    child.kill("SIGKILL");
    await ended;
  });
  const told = <K extends Kind>(kind: K) =>
    messages.filter((message): message is Of<K> => message.kind === kind);
  return {
    told,
    tells: async (kind, count = 1) => {
      const what = `${count} × ${kind} from the worker process`;
      await waitFor(() => told(kind).length >= count, { what });
      return told(kind);
    },
    finish: () => void child.send("finish"),
    signal: (name) => void child.kill(name),
    ended,
  };
}
