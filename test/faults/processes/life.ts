/** What every process of a soak has: its task, its journal, its queue, and a way to be told to stop. */
import type { Queue } from "../../../src/index.ts";
import { Journal } from "../history/journal.ts";
import { Chance } from "../soak/chance.ts";
import { openQueue } from "../soak/setting.ts";
import type { SoakJob } from "./behaviour.ts";

export interface LifeTask {
  /** Name of the process and which of its lives this is, such as `worker-1.3`. */
  readonly life: string;
  readonly seed: number;
  readonly url: string;
  readonly queueName: string;
  readonly shards: number;
  readonly folder: string;
}

/** From the run to a process. report-health: a worker answers once it looks for jobs again. */
export type Order = "report-health" | "finish";
/** From a process to the run. */
export type Message = "ready" | "healthy";

export interface Life {
  readonly task: LifeTask;
  readonly journal: Journal;
  readonly queue: Queue<SoakJob>;
  readonly chance: Chance;
  readonly isStopping: boolean;
  /** Resolves when the process is told to stop: in order, or in a hurry by SIGTERM. */
  readonly stopped: Promise<"finish" | "hurry">;
  tell(message: Message): void;
  /** Closes what was opened; the process then ends by itself. */
  end(): Promise<void>;
}

export function beginLife(onOrder: (order: Order) => void = () => {}): Life {
  const task = JSON.parse(process.argv[2]!) as LifeTask;
  const journal = new Journal(task.folder, task.life);
  const queue = openQueue<SoakJob>(task.queueName, task.url, task.shards);
  let isStopping = false;
  const stopped = new Promise<"finish" | "hurry">((resolve) => {
    const stop = (how: "finish" | "hurry") => {
      isStopping = true;
      resolve(how);
    };
    process.once("SIGTERM", () => stop("hurry"));
    process.on("message", (order: Order) => {
      onOrder(order);
      if (order === "finish") stop("finish");
    });
  });
  process.on("disconnect", () => process.exit(0)); // nobody is left who could want more
  return {
    task,
    journal,
    queue,
    chance: new Chance(task.seed, task.life),
    stopped,
    get isStopping() {
      return isStopping;
    },
    tell: (message) => void process.send?.(message),
    end: async () => {
      await queue.close();
      journal.close();
      process.exit(0);
    },
  };
}
