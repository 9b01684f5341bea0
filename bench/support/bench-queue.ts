/** A queue of one peer, with the processes that produce for it and work on it. */
import type { PeerTarget } from "../peers/peer.ts";
import { BenchProcess } from "./bench-process.ts";
import type { BenchServer } from "./bench-server.ts";
import type { BenchPeer } from "./scenario.ts";
import {
  drainTimeoutMs,
  expectEachOnce,
  sum,
  untilAcknowledged,
  untilCounted,
} from "./worker-progress.ts";

const startsAtATime = 4;
let queues = 0;

export interface LoadArgument {
  readonly jobs: number;
  readonly payloadBytes?: number;
  readonly delayMs?: number;
}

export interface WorkerSettings {
  readonly concurrency: number;
  readonly visibilityTimeoutMs?: number;
  /** Jobs claimed ahead, where the library can do that. */
  readonly prefetch?: number;
  readonly handler?: "no-op" | "note-start" | "note-lateness" | "hold";
}

/** Processor times are those of all processes of the kind. */
export interface DrainResult {
  readonly elapsedMs: number;
  readonly workerCpuMicroseconds: number;
  readonly serverCpuMicroseconds: number;
}

export interface QueueSettings {
  /** Where its processes find the server, if not where the bench does. */
  readonly url?: string | undefined;
  /** Whether an OpenTelemetry SDK records in each of its processes. */
  readonly hasTracing?: boolean | undefined;
  /** Whether jobs have no spans all the same. */
  readonly isUntraced?: boolean | undefined;
}

export class BenchQueue {
  readonly peer: BenchPeer;
  readonly target: PeerTarget;
  /** Of the producers' connections, and how those of the workers begin. */
  readonly names: { readonly producer: string; readonly workers: string };
  readonly #server: BenchServer;
  readonly #hasTracing: boolean;
  readonly #processes: BenchProcess[] = [];
  #isRemoved = false;

  constructor(
    peer: BenchPeer,
    server: BenchServer,
    { url, hasTracing, isUntraced }: QueueSettings = {},
  ) {
    queues += 1;
    const name = `bench-${process.pid}-${queues}`;
    this.peer = peer;
    this.target = {
      url: url ?? server.url,
      queue: "jobs",
      prefix: name,
      connectionName: name,
      isUntraced,
    };
    this.names = { producer: name, workers: `${name}-worker` };
    this.#server = server;
    this.#hasTracing = hasTracing ?? false;
  }

  startProducer(): Promise<BenchProcess> {
    return this.#start("producer.mjs", this.target);
  }

  startClaimer(): Promise<BenchProcess> {
    return this.#start("claimer.mjs", this.target);
  }

  startChecker(): Promise<BenchProcess> {
    return this.#start("checker.ts", this.target);
  }

  /** A process that has no worker yet: to be warmed up, and opened when the queue is filled. */
  startWorkerProcess(): Promise<BenchProcess> {
    return this.#start("worker.mjs", this.target);
  }

  /** The worker takes jobs when this resolves. */
  async startWorker(settings: WorkerSettings): Promise<BenchProcess> {
    const worker = await this.startWorkerProcess();
    await worker.ask("open", { target: this.#workerTarget(worker), ...settings });
    return worker;
  }

  /** Enqueues from a process that is gone afterwards. */
  async load(argument: LoadArgument): Promise<void> {
    const producer = await this.startProducer();
    await producer.ask("load", argument, drainTimeoutMs);
    await producer.kill();
  }

  /** Lets the code of the process become fast, on jobs of a queue beside this one. */
  async warmUp(worker: BenchProcess, settings: WorkerSettings, jobs: number): Promise<void> {
    const target = { ...this.#workerTarget(worker), queue: "warm-up" };
    const producer = await this.#start("producer.mjs", target);
    await producer.ask("load", { jobs }, drainTimeoutMs);
    await producer.kill();
    await worker.ask("open", { target, ...settings });
    await untilAcknowledged([worker], jobs);
    await worker.ask("close");
  }

  /** From the first start of a handler to the last acknowledged job, of jobs that are there already. */
  async drain(
    workers: readonly BenchProcess[],
    jobs: number,
    settings: WorkerSettings,
  ): Promise<DrainResult> {
    const warmUpSpans = await this.#exportedSpans(workers);
    const [progress, serverCpuMicroseconds] = await this.#server.withCpu(async () => {
      const opened = workers.map((worker) =>
        worker.ask("open", { target: this.#workerTarget(worker), ...settings }),
      );
      await Promise.all(opened);
      return untilCounted(workers, jobs);
    });
    await expectEachOnce(workers, jobs);
    this.#expectSpans((await this.#exportedSpans(workers)) - warmUpSpans, jobs);
    const busy = progress.filter(({ started }) => started > 0);
    const startedAtMs = Math.min(...busy.map(({ firstStartAtMs }) => firstStartAtMs));
    const endedAtMs = Math.max(...busy.map(({ lastAcknowledgedAtMs }) => lastAcknowledgedAtMs));
    return {
      elapsedMs: endedAtMs - startedAtMs,
      workerCpuMicroseconds: sum(busy.map(({ cpuMicroseconds }) => cpuMicroseconds)),
      serverCpuMicroseconds,
    };
  }

  /** Ends all processes, then removes the queue's keys. */
  async remove(): Promise<void> {
    this.#isRemoved = true;
    await Promise.all(this.#processes.splice(0).map((child) => child.kill()));
    await this.#server.removeKeys(this.target.prefix);
  }

  connectionNameOf(worker: BenchProcess): string {
    return `${this.names.workers}-${this.#processes.indexOf(worker)}`;
  }

  /** Its connections bear a name of their own. */
  #workerTarget(worker: BenchProcess): PeerTarget {
    return { ...this.target, connectionName: this.connectionNameOf(worker) };
  }

  /** So far, the warm-up's included; 0 without tracing. */
  async #exportedSpans(workers: readonly BenchProcess[]): Promise<number> {
    return sum(await Promise.all(workers.map((worker) => worker.ask<number>("exportedSpans"))));
  }

  /** @throws Error unless each job that is traced has had at least its two spans: otherwise something else was measured */
  #expectSpans(spans: number, jobs: number): void {
    const tracedJobs = this.#hasTracing && !this.target.isUntraced ? jobs : 0;
    if (tracedJobs === 0 ? spans > 0 : spans < 2 * tracedJobs) {
      throw new Error(`${tracedJobs} jobs were traced, but ${spans} spans exported`);
    }
  }

  async #start(program: string, target: PeerTarget): Promise<BenchProcess> {
    if (this.#isRemoved) {
      throw new Error(`the queue of ${this.peer.name} has been removed`);
    }
    const { module, dist } = this.peer;
    const settings = { peer: module, target, hasTracing: this.#hasTracing };
    const child = new BenchProcess(program, settings, dist);
    this.#processes.push(child);
    await child.ask("start");
    return child;
  }
}

/** Workers in processes of their own; a few start at a time. */
export async function startWorkers(
  queue: BenchQueue,
  count: number,
  settings: WorkerSettings,
): Promise<BenchProcess[]> {
  const workers: BenchProcess[] = [];
  while (workers.length < count) {
    const together = Array.from({ length: Math.min(startsAtATime, count - workers.length) }, () =>
      queue.startWorker(settings),
    );
    workers.push(...(await Promise.all(together)));
  }
  return workers;
}
