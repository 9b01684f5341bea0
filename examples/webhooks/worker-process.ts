/** A worker in a process of its own, followed by the lines of its log. */
import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { CloseSummary } from "holdfast";

const WORKER_FILE = fileURLToPath(new URL("./worker.ts", import.meta.url));
/** Above the worker's own time for closing: one that takes longer hangs. */
const TERMINATION_LIMIT_MS = 9_000;

type LogLine =
  | { readonly event: "stalled"; readonly ids: readonly string[] }
  | ({ readonly event: "closed" } & CloseSummary)
  | { readonly event: "started" | "retried" | "dead" | "lease-lost" | "error" };

export class WorkerProcess implements AsyncDisposable {
  readonly name: string;
  /** Resolves when the worker looks for jobs. */
  readonly started: Promise<void>;
  /** Resolves when the process is gone and its log is read, with how it ended. */
  readonly ended: Promise<string>;
  /** Jobs whose expired leases this worker gave back. */
  readonly stalledIds: string[] = [];
  /** What the worker's `close()` answered. */
  closeSummary: CloseSummary | undefined;
  readonly #child: ChildProcess;
  #isTold = false;
  readonly #killNow = (): void => {
    this.#child.kill("SIGKILL");
  };

  /** @param onFailure called if the process ends without having been told to */
  constructor(name: string, environment: NodeJS.ProcessEnv, onFailure: (error: Error) => void) {
    this.name = name;
    // This process's own options load TypeScript in the worker's process too.
    this.#child = spawn(process.execPath, [...process.execArgv, WORKER_FILE], {
      env: { ...process.env, ...environment, WORKER_NAME: name },
      stdio: ["ignore", "pipe", "inherit"],
    });
    process.once("exit", this.#killNow);
    this.#child.once("error", onFailure);
    this.ended = new Promise((resolve) => {
      this.#child.once("close", (code, signal) => {
        process.off("exit", this.#killNow);
        const ending = signal ?? `exit code ${code}`;
        resolve(ending);
        if (!this.#isTold) {
          onFailure(new Error(`${name} ended by itself with ${ending}`));
        }
      });
    });
    this.started = new Promise((resolve) => {
      createInterface({ input: this.#child.stdout! }).on("line", (text) => {
        const line = JSON.parse(text) as LogLine;
        if (line.event === "started") {
          resolve();
        } else if (line.event === "stalled") {
          this.stalledIds.push(...line.ids);
        } else if (line.event === "closed") {
          const { finished, released, abandoned } = line;
          this.closeSummary = { finished, released, abandoned };
        }
      });
    });
  }

  get isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Ends it with SIGKILL, in the middle of whatever it does. */
  async kill(): Promise<void> {
    this.#isTold = true;
    this.#killNow();
    await this.ended;
  }

  /** Asks it with SIGTERM to finish and end. Resolves with how it ended. */
  async terminate(): Promise<string> {
    this.#isTold = true;
    this.#child.kill("SIGTERM");
    const timer = setTimeout(this.#killNow, TERMINATION_LIMIT_MS);
    const ending = await this.ended;
    clearTimeout(timer);
    return ending;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.isRunning) {
      await this.kill();
    }
  }
}
