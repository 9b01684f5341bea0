import type { CloseSummary, WorkerOptions } from "../../../src/index.ts";

export interface WorkerTask {
  /** The URL of a server, or the nodes of a cluster. */
  readonly redis: string | readonly { host: string; port: number }[];
  readonly queueName: string;
  /** hold: until a message comes. exit: ends the process. block: the event loop, until the file exists. */
  readonly handler: "hold" | "exit" | "block";
  readonly file?: string;
  readonly backoffMs?: number;
  readonly options: Omit<WorkerOptions, "backoff">;
}

export type WorkerMessage =
  | { readonly kind: "ready" | "stalled" }
  | {
      readonly kind: "started";
      readonly id: string;
      readonly attempt: number;
      readonly fencingToken: number;
    }
  | { readonly kind: "completed" | "lease-lost"; readonly id: string }
  | { readonly kind: "closed"; readonly summary: CloseSummary };
