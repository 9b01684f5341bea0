/** Commands that MONITOR has shown, counted by the name of the connection. */
import { type ClientCommand, CommandMonitor } from "../../tools/redis/command-monitor.ts";
import type { BenchServer } from "./bench-server.ts";

/** What a client sent. */
interface SeenCommand {
  readonly connectionName: string;
  /** How many commands its script called. */
  readonly innerCount: number;
}

/** In order. */
export type SeenCommands = readonly SeenCommand[];

/** Opens a monitor, and closes it afterwards. */
export async function withMonitor<Result>(
  server: BenchServer,
  use: (see: (call: () => Promise<unknown>) => Promise<SeenCommands>) => Promise<Result>,
): Promise<Result> {
  const monitor = await CommandMonitor.open(server.client);
  try {
    return await use(async (call) => named(server, await monitor.during(call)));
  } finally {
    monitor.close();
  }
}

/** By the names that connections bear at the end. */
async function named(
  server: BenchServer,
  commands: readonly ClientCommand[],
): Promise<SeenCommands> {
  const names = await connectionNames(server);
  return commands.map(({ connection, inner }) => ({
    connectionName: names.get(connection) ?? "",
    innerCount: inner.length,
  }));
}

async function connectionNames({ client }: BenchServer): Promise<ReadonlyMap<string, string>> {
  const lines = String(await client.client("LIST")).split("\n");
  return new Map(
    lines.map((line) => [/ addr=(\S+)/.exec(line)?.[1] ?? "", / name=(\S+)/.exec(line)?.[1] ?? ""]),
  );
}

/** Commands that connections of this name have sent, or of one that goes on with a hyphen. */
export function clientCommands(seen: SeenCommands, wanted: string): number {
  return seen.filter(({ connectionName }) => isOf(wanted, connectionName)).length;
}

/** What scripts called that such connections sent. */
export function innerCommands(seen: SeenCommands, wanted: string): number {
  return seen.reduce(
    (sum, { connectionName, innerCount }) => sum + (isOf(wanted, connectionName) ? innerCount : 0),
    0,
  );
}

/**
 * What was sent for a job: from its enqueue to the last command of the worker that ran it, so that the looks of
 * idle workers long before and after do not count.
 */
export function sentForOneJob(
  seen: SeenCommands,
  names: { readonly producer: string; readonly runner: string },
): SeenCommands {
  const sent = seen.map(({ connectionName }) => connectionName);
  return seen.slice(sent.indexOf(names.producer), sent.lastIndexOf(names.runner) + 1);
}

/** How many workers did anything. */
export function workersMoved(seen: SeenCommands, workers: string): number {
  const moved = seen.filter(({ connectionName }) => isOf(workers, connectionName));
  return new Set(moved.map(({ connectionName }) => connectionName)).size;
}

function isOf(wanted: string, name: string): boolean {
  return name === wanted || name.startsWith(`${wanted}-`);
}
