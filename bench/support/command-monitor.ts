/** Counts commands by MONITOR: those of each connection, and those that scripts call. */
import type { Redis } from "ioredis";
import type { BenchServer } from "./bench-server.ts";

/** How often each command was seen, by its name. */
type Counts = Map<string, number>;

export interface SeenCommands {
  /** What clients sent, by the name of their connection. */
  readonly byConnection: ReadonlyMap<string, ReadonlyMap<string, number>>;
  /** What scripts called, whoever sent them. */
  readonly inner: ReadonlyMap<string, number>;
}

/** Sent to see whether MONITOR has come so far: nobody else sends it. */
const markCommand = "lolwut";
const markPollMs = 2;
const scriptSource = "lua";

/** MONITOR slows the server down: never measure times meanwhile. */
export class CommandMonitor {
  readonly #server: BenchServer;
  readonly #monitor: Redis;
  #bySource = new Map<string, Counts>();

  static async open(server: BenchServer): Promise<CommandMonitor> {
    const monitor = new CommandMonitor(server, await server.client.monitor());
    await monitor.take();
    return monitor;
  }

  private constructor(server: BenchServer, monitor: Redis) {
    this.#server = server;
    this.#monitor = monitor;
    monitor.on("monitor", (_time: string, [name = ""]: string[], source: string) => {
      const counts = this.#bySource.get(source) ?? new Map<string, number>();
      this.#bySource.set(source, counts);
      const command = name.toLowerCase();
      counts.set(command, (counts.get(command) ?? 0) + 1);
    });
  }

  /** What was seen since the last call, up to now. */
  async take(): Promise<SeenCommands> {
    await this.#server.client.call(markCommand, "VERSION", "1");
    while (![...this.#bySource.values()].some((counts) => counts.has(markCommand))) {
      await new Promise((resolve) => {
        setTimeout(resolve, markPollMs);
      });
    }
    const bySource = this.#bySource;
    this.#bySource = new Map();
    const byConnection = new Map<string, Counts>();
    for (const [address, name] of await connectionNames(this.#server)) {
      const counts = bySource.get(address);
      if (counts) byConnection.set(name, addCounts(byConnection.get(name), counts));
    }
    return { byConnection, inner: bySource.get(scriptSource) ?? new Map() };
  }

  close(): void {
    this.#monitor.disconnect();
  }
}

/** All commands that connections of this name have sent, or of one that goes on with a hyphen. */
export function commandsOf({ byConnection }: SeenCommands, wanted: string): number {
  return [...byConnection]
    .filter(([name]) => name === wanted || name.startsWith(`${wanted}-`))
    .reduce((sum, [, counts]) => sum + total(counts), 0);
}

export function total(counts: ReadonlyMap<string, number>): number {
  return [...counts.values()].reduce((sum, count) => sum + count, 0);
}

function addCounts(first: Counts | undefined, second: Counts): Counts {
  const sum = new Map(first);
  for (const [command, count] of second) {
    sum.set(command, (sum.get(command) ?? 0) + count);
  }
  return sum;
}

async function connectionNames({ client }: BenchServer): Promise<[string, string][]> {
  const lines = String(await client.client("LIST")).split("\n");
  return lines.flatMap((line) => {
    const [, address] = / addr=(\S+)/.exec(line) ?? [];
    const [, name] = / name=(\S+)/.exec(line) ?? [];
    return address !== undefined && name !== undefined ? [[address, name] as [string, string]] : [];
  });
}
