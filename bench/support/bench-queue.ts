/** A queue of one measurement, with the processes that serve it. */
import { queueKeys } from "../../src/core/store/keys.ts";
import type { WorkerOptions } from "../../src/index.ts";
import { BenchProcess } from "./bench-process.ts";
import type { BenchServer } from "./bench-server.ts";

const prefix = "holdfast-bench";
let queues = 0;

type BenchHandler = "no-op" | "note-start" | "note-lateness" | "hold";

export interface WorkerSettings {
  readonly handler: BenchHandler;
  readonly options: WorkerOptions;
  /** Seen in CLIENT LIST. */
  readonly connectionName?: string;
}

export interface RunResult {
  readonly elapsedMs: number;
  readonly cpuMicroseconds: number;
}

export interface LoadArgument {
  readonly jobs: number;
  readonly payloadBytes?: number;
  readonly delayMs?: number;
}

export class BenchQueue {
  readonly name: string;
  readonly prefix = prefix;
  readonly #server: BenchServer;
  readonly #processes: BenchProcess[] = [];

  constructor(server: BenchServer) {
    queues += 1;
    this.name = `bench-${process.pid}-${queues}`;
    this.#server = server;
  }

  startProducer(): Promise<BenchProcess> {
    return this.#start("producer", {});
  }

  /** The worker runs when this resolves. */
  startWorker(settings: WorkerSettings): Promise<BenchProcess> {
    return this.#start("worker", settings);
  }

  /** Enqueues from a process that is gone afterwards. */
  async load(argument: LoadArgument): Promise<void> {
    const producer = await this.startProducer();
    await producer.ask("load", argument);
    await producer.kill();
  }

  /** Ends all processes, then removes the queue's keys. */
  async remove(): Promise<void> {
    await Promise.all(this.#processes.map((child) => child.kill()));
    await this.#server.client.del(Object.values({ ...queueKeys(prefix, this.name) }));
  }

  async #start(program: string, settings: object): Promise<BenchProcess> {
    const { url } = this.#server;
    const child = new BenchProcess(program, { url, prefix, queue: this.name, ...settings });
    this.#processes.push(child);
    await child.ask("start");
    return child;
  }
}
