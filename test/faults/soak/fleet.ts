/** The processes of a soak, each with a link of its own to Redis, started again whenever they end. */
import { type ChildProcess, fork } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { atProcessEnd } from "../../../tools/redis/process-end.ts";
import { type FaultProxy, startFaultProxy } from "../../helpers/fault-proxy.ts";
import { waitFor } from "../../helpers/wait-for.ts";
import type { Journal } from "../history/journal.ts";
import type { LifeTask, Message, Order } from "../processes/life.ts";
import { kindOf, PROCESS_NAMES, type ProcessKind } from "./setting.ts";

const RESTART_AFTER_MS = 100;
const START_TIMEOUT_MS = 60_000;
const programs = join(import.meta.dirname, "../processes");

export interface FleetOptions {
  readonly target: { readonly host: string; readonly port: number };
  readonly task: Pick<LifeTask, "seed" | "queueName" | "shards" | "folder">;
  readonly journal: Journal;
}

export class Fleet {
  readonly #members: ReadonlyMap<string, FleetMember>;

  private constructor(members: readonly FleetMember[]) {
    this.#members = new Map(members.map((member) => [member.name, member]));
  }

  /** Resolves when all processes are at work. */
  static async start({ target, task, journal }: FleetOptions): Promise<Fleet> {
    const members: FleetMember[] = [];
    for (const name of PROCESS_NAMES) {
      const proxy = await startFaultProxy({ targetHost: target.host, targetPort: target.port });
      members.push(new FleetMember(name, proxy, { ...task, url: proxy.url }, journal));
    }
    const fleet = new Fleet(members);
    for (const member of members) member.start();
    await fleet.#waitForAll(({ isReady }) => isReady, START_TIMEOUT_MS, "all processes are ready");
    return fleet;
  }

  member(name: string): FleetMember {
    return this.#members.get(name)!;
  }

  /** Cuts that have found no call yet. */
  get pendingCuts(): number {
    return [...this.#members.values()].reduce((sum, { proxy }) => sum + proxy.pendingDrops, 0);
  }

  /** Links without faults. */
  heal(): void {
    for (const { proxy } of this.#members.values()) {
      proxy.refuse(false);
      proxy.setLatencyMs(0);
      proxy.blackHole(false);
    }
  }

  /** Tells these to finish their work; whether they ended by themselves in time. */
  async finish(kinds: readonly ProcessKind[], timeoutMs: number): Promise<boolean> {
    const members = [...this.#members.values()].filter(({ kind }) => kinds.includes(kind));
    for (const member of members) member.finish();
    return waitsFor(() => members.every(({ hasEnded }) => hasEnded), timeoutMs);
  }

  /** Asks each worker to tell when it is healthy; those that did not in time. */
  async deafWorkers(timeoutMs: number): Promise<string[]> {
    const workers = [...this.#members.values()].filter(({ kind }) => kind === "worker");
    for (const worker of workers) worker.askForHealth();
    const deaf = () => workers.filter(({ isHealthy }) => !isHealthy);
    await waitsFor(() => deaf().length === 0, timeoutMs);
    return deaf().map(({ life }) => life);
  }

  /** Ends all processes at once, and their links. Safe to repeat. */
  async stop(): Promise<void> {
    await Promise.all([...this.#members.values()].map((member) => member.stop()));
  }

  async #waitForAll(
    holds: (member: FleetMember) => boolean,
    timeoutMs: number,
    what: string,
  ): Promise<void> {
    await waitFor(() => [...this.#members.values()].every(holds), { timeoutMs, what });
  }
}

export class FleetMember {
  readonly name: string;
  readonly kind: ProcessKind;
  readonly proxy: FaultProxy;
  isReady = false;
  isHealthy = false;
  readonly #task: Omit<LifeTask, "life">;
  readonly #journal: Journal;
  #lives = 0;
  #child: ChildProcess | undefined;
  /** Whether an end of the process is what was asked for. */
  #endIsExpected = false;
  #isFinishing = false;
  #wantsHealth = false;
  #withdrawCleanUp = () => {};

  constructor(name: string, proxy: FaultProxy, task: Omit<LifeTask, "life">, journal: Journal) {
    this.name = name;
    this.kind = kindOf(name);
    this.proxy = proxy;
    this.#task = task;
    this.#journal = journal;
  }

  /** Which of its lives the process is in, such as `worker-1.3`. */
  get life(): string {
    return `${this.name}.${this.#lives}`;
  }

  get hasEnded(): boolean {
    return this.#child === undefined;
  }

  start(): void {
    this.#lives += 1;
    this.#endIsExpected = false;
    const { life } = this;
    const output = openSync(join(this.#task.folder, `${life}.output`), "a");
    const child = fork(
      join(programs, `${this.kind}.ts`),
      [JSON.stringify({ ...this.#task, life } satisfies LifeTask)],
      { execArgv: ["--import", "tsx"], stdio: ["ignore", output, output, "ipc"] },
    );
    closeSync(output);
    this.#child = child;
    this.#withdrawCleanUp = atProcessEnd(() => child.kill("SIGKILL"));
    child.on("message", (message: Message) => this.#onMessage(message));
    child.on("error", () => {}); // a message to a process that is gone: "exit" follows
    child.once("exit", (code, signal) => this.#onExit(code, signal));
  }

  /** Resolves when a process runs: one that has ended is started again soon. */
  async isThere(): Promise<void> {
    await waitFor(() => !this.hasEnded, { what: `${this.name} runs again` });
  }

  /** @param signal what ends the process, or stops and continues it */
  signal(signal: "SIGKILL" | "SIGTERM" | "SIGSTOP" | "SIGCONT"): void {
    this.#endIsExpected ||= signal === "SIGKILL" || signal === "SIGTERM";
    this.#child?.kill(signal);
  }

  finish(): void {
    this.#isFinishing = true;
    this.#endIsExpected = true;
    this.#order("finish");
  }

  askForHealth(): void {
    this.#wantsHealth = true;
    this.#order("report-health");
  }

  async stop(): Promise<void> {
    this.#isFinishing = true;
    this.signal("SIGKILL");
    await waitFor(() => this.hasEnded, { what: `${this.name} is gone` });
    await this.proxy.stop();
  }

  #order(order: Order): void {
    if (this.#child?.connected) this.#child.send(order, () => {}); // to one that is gone: "exit" follows
  }

  #onMessage(message: Message): void {
    if (message === "healthy") {
      this.isHealthy = true;
      return;
    }
    this.isReady = true;
    if (this.#wantsHealth) this.askForHealth();
    if (this.#isFinishing) this.finish();
  }

  #onExit(code: number | null, signal: string | null): void {
    this.#withdrawCleanUp();
    this.#child = undefined;
    this.isReady = false;
    if (!this.#endIsExpected || (code !== 0 && signal === null)) {
      const how = signal ?? `code ${code}`;
      this.#journal.write({ kind: "crash", target: this.life, how });
    }
    if (!this.#isFinishing) {
      void sleep(RESTART_AFTER_MS).then(() => {
        if (!this.#isFinishing) this.start();
      });
    }
  }
}

async function waitsFor(condition: () => boolean, timeoutMs: number): Promise<boolean> {
  return waitFor(condition, { timeoutMs }).then(
    () => true,
    () => condition(),
  );
}
