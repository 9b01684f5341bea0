/** A worker or producer in a process of its own, which answers requests over the IPC channel. */
import { fork } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { atProcessEnd } from "../../tools/redis/process-end.ts";

const folder = join(import.meta.dirname, "../processes");
const answerTimeoutMs = 60_000;
const keptOutputCharacters = 2_000;

interface PendingRequest {
  resolve(value: unknown): void;
  reject(error: Error): void;
}

interface Answer {
  readonly request: number;
  readonly value?: unknown;
  readonly error?: string;
}

export class BenchProcess {
  readonly #name: string;
  readonly #child: ChildProcess;
  readonly #pending = new Map<number, PendingRequest>();
  readonly #withdrawCleanUp: () => void;
  #requests = 0;
  #output = "";

  /**
   * @param program a file of `bench/processes`
   * @param dist the build of holdfast to load; that of this checkout by default
   */
  constructor(program: string, settings: object, dist?: string) {
    this.#name = program;
    this.#child = fork(join(folder, program), [JSON.stringify(settings)], {
      // What users run is plain JavaScript: without the loader of this process.
      execArgv: program.endsWith(".ts") ? ["--import", "tsx"] : [],
      env: { ...process.env, ...(dist === undefined ? {} : { HOLDFAST_BENCH_DIST: dist }) },
      stdio: ["ignore", "pipe", "pipe", "ipc"],
      serialization: "advanced", // for typed arrays
    });
    this.#withdrawCleanUp = atProcessEnd(() => this.#child.kill("SIGKILL"));
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.setEncoding("utf8").on("data", (text: string) => {
        this.#output = (this.#output + text).slice(-keptOutputCharacters);
      });
    }
    this.#child.on("message", (answer) => this.#onAnswer(answer as Answer));
    this.#child.once("error", (error) => this.#rejectAll(error.message));
    this.#child.once("exit", (code, signal) => {
      this.#withdrawCleanUp();
      this.#rejectAll(`ended with ${signal ?? `code ${code}`}`);
    });
  }

  ask<Result>(request: string, argument: object = {}, timeoutMs = answerTimeoutMs) {
    const number = (this.#requests += 1);
    return new Promise<Result>((resolve, reject) => {
      const fail = (what: string) => {
        this.#pending.delete(number);
        clearTimeout(timer);
        reject(new Error(`the ${this.#name} process ${what} at "${request}"\n${this.#output}`));
      };
      const timer = setTimeout(() => fail(`gave no answer in ${timeoutMs} ms`), timeoutMs);
      this.#pending.set(number, {
        resolve: (value) => {
          clearTimeout(timer);
          resolve(value as Result);
        },
        reject: (error) => fail(`failed (${error.message})`),
      });
      this.#child.send({ request, number, argument }, (error) => {
        if (error) fail(`could not be asked (${error.message})`);
      });
    });
  }

  /** Resolves when the process is gone. */
  async kill(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      const exited = once(this.#child, "exit");
      this.#child.kill("SIGKILL");
      await exited;
    }
  }

  #onAnswer({ request, value, error }: Answer): void {
    const pending = this.#pending.get(request);
    this.#pending.delete(request);
    if (error === undefined) {
      pending?.resolve(value);
    } else {
      pending?.reject(new Error(error));
    }
  }

  #rejectAll(reason: string): void {
    for (const pending of this.#pending.values()) {
      pending.reject(new Error(reason));
    }
  }
}
