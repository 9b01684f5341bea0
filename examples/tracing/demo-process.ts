/** A producer or a worker in a process of its own, followed by the lines of its log. */
import { type ChildProcess, spawn } from "node:child_process";
import { EventEmitter, on } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { unlessAborted } from "../shared/clean-up.ts";

/** Above the time that a worker has for closing: one that takes longer hangs. */
const TERMINATION_LIMIT_MS = 10_000;

export type LogLine = { readonly atMs: number } & (
  | { readonly event: "started" }
  | { readonly event: "attempt"; readonly id: string; readonly attempt: number }
  | { readonly event: "stalled"; readonly ids: readonly string[] }
);

export class DemoProcess implements AsyncDisposable {
  readonly name: string;
  /** Resolves when it is gone and its log is read, with how it ended. */
  readonly ended: Promise<string>;
  readonly #child: ChildProcess;
  readonly #lines: LogLine[] = [];
  readonly #news = new EventEmitter<{ line: [LogLine] }>();
  readonly #killNow = (): void => {
    this.#child.kill("SIGKILL");
  };

  /** @param program a file of this folder */
  constructor(name: string, program: string, environment: NodeJS.ProcessEnv) {
    this.name = name;
    const file = fileURLToPath(new URL(program, import.meta.url));
    // This process's own options load TypeScript in the other one too.
    this.#child = spawn(process.execPath, [...process.execArgv, file], {
      env: { ...process.env, ...environment, PROCESS_NAME: name },
      stdio: ["ignore", "pipe", "inherit"],
    });
    process.once("exit", this.#killNow);
    this.ended = new Promise((resolve, reject) => {
      this.#child.once("error", reject);
      this.#child.once("close", (code, signal) => {
        process.off("exit", this.#killNow);
        resolve(signal ?? `exit code ${code}`);
      });
    });
    createInterface({ input: this.#child.stdout! }).on("line", (text) => {
      const line = JSON.parse(text) as LogLine;
      this.#lines.push(line);
      this.#news.emit("line", line);
    });
  }

  /** The first line of its log that fits, written already or to come. */
  async line(fits: (line: LogLine) => boolean, signal: AbortSignal): Promise<LogLine> {
    const written = this.#lines.find(fits);
    if (written) return written;
    const ended = new AbortController();
    const failure = this.ended.then((ending) => {
      ended.abort(new Error(`${this.name} ended early with ${ending}`));
    });
    void failure.catch((error: unknown) => ended.abort(error));
    const lines = on(this.#news, "line", { signal: AbortSignal.any([signal, ended.signal]) });
    for await (const [line] of lines as AsyncIterable<[LogLine]>) {
      if (fits(line)) return line;
    }
    throw new Error(`the log of ${this.name} has ended`);
  }

  /** Waits until it has ended by itself, as it should. */
  async finished(signal: AbortSignal): Promise<void> {
    const ending = await unlessAborted(this.ended, signal);
    if (ending !== "exit code 0") throw new Error(`${this.name} ended with ${ending}`);
  }

  /** Ends it with SIGKILL, in the middle of whatever it does. */
  async kill(): Promise<void> {
    this.#killNow();
    await this.ended;
  }

  /** Asks it with SIGTERM to finish and end. */
  async terminate(signal: AbortSignal): Promise<void> {
    this.#child.kill("SIGTERM");
    const timer = setTimeout(this.#killNow, TERMINATION_LIMIT_MS);
    try {
      await this.finished(signal);
    } finally {
      clearTimeout(timer);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      await this.kill();
    }
  }
}
