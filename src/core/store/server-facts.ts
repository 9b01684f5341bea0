/** What a server tells about itself. Services hide parts of it: what is refused is told as hidden. */
import { wallClockNow } from "../model/clock.ts";
import { HoldfastError, UnexpectedError } from "../model/errors.ts";
import type { RedisArgument } from "./client.ts";
import type { Connection } from "./connection.ts";
import { translateError } from "./redis-errors.ts";
import { parseInfo } from "./server-check.ts";

/** A value, or why it cannot be had. */
export type Known<T> = { readonly value: T } | { readonly hidden: string };

export interface ServerFacts {
  /** The fields of INFO. */
  readonly info: Known<ReadonlyMap<string, string>>;
  /** Of CONFIG: what INFO does not say. */
  readonly settings: Known<ReadonlyMap<string, string>>;
  /** The server's clock minus this machine's, known to `uncertaintyMs` either way. */
  readonly clock: Known<{ readonly offsetMs: number; readonly uncertaintyMs: number }>;
  /** Whether scripts run, and may read the clock. */
  readonly scripts: Known<true>;
  /** The fields of CLUSTER INFO; undefined for a server that is no part of a cluster. */
  readonly cluster: Known<ReadonlyMap<string, string>> | undefined;
}

/** As all of holdfast's scripts do, it reads the clock; it touches no key. */
const CLOCK_SCRIPT = 'return redis.call("TIME")[1]';

/** @throws HoldfastError if the server cannot be reached, or does not let us in */
export async function connectToServer(connection: Connection): Promise<void> {
  try {
    await ask(connection, "PING");
  } catch (error) {
    const isLetIn = error instanceof HoldfastError && /NOPERM|unknown command/i.test(error.message);
    if (!isLetIn) {
      throw error;
    }
  }
}

export async function readServerFacts(connection: Connection): Promise<ServerFacts> {
  const info = await known(async () => parseInfo(String(await ask(connection, "INFO"))));
  const isInCluster = "value" in info && info.value.get("cluster_enabled") === "1";
  return {
    info,
    settings: await known(() => readSettings(connection)),
    clock: await known(() => readClock(connection)),
    scripts: await known(async () => {
      const sha1 = String(await ask(connection, "SCRIPT", "LOAD", CLOCK_SCRIPT));
      await ask(connection, "EVALSHA", sha1, 0);
      return true as const;
    }),
    cluster: isInCluster
      ? await known(async () => parseInfo(String(await ask(connection, "CLUSTER", "INFO"))))
      : undefined,
  };
}

/** The addresses of a cluster's primaries; an empty host is the one that was asked. */
export function readPrimaries(connection: Connection): Promise<Known<string[]>> {
  return known(async () => {
    const slots = (await ask(connection, "CLUSTER", "SLOTS")) as [
      number,
      number,
      [string, number],
    ][];
    const addresses = slots.map(([, , [host, port]]) => `${host ?? ""}:${port}`);
    return [...new Set(addresses)];
  });
}

/**
 * The hash tags of queues on a server.
 *
 * @param isWanted which of them to keep
 * @param mayGoOn asked before each step: a server with many other keys takes long
 */
export async function findQueueTags(
  connection: Connection,
  prefix: string,
  isWanted: (tag: string) => boolean,
  mayGoOn: (found: number) => boolean,
): Promise<Known<{ tags: string[]; isComplete: boolean }>> {
  const pattern = `${prefix.replaceAll(/[*?[\]\\^-]/g, "\\$&")}:{*}:meta`;
  const tags = new Set<string>();
  return known(async () => {
    let cursor = "0";
    do {
      if (!mayGoOn(tags.size)) {
        return { tags: [...tags], isComplete: false };
      }
      const command = ["MATCH", pattern, "COUNT", 1_000] as const;
      const [next, keys] = (await ask(connection, "SCAN", cursor, ...command)) as [
        string,
        string[],
      ];
      for (const key of keys) {
        const tag = key.slice(prefix.length + 2, -"}:meta".length);
        if (isWanted(tag)) tags.add(tag);
      }
      cursor = next;
    } while (cursor !== "0");
    return { tags: [...tags], isComplete: true };
  });
}

async function readSettings(connection: Connection): Promise<ReadonlyMap<string, string>> {
  const settings = new Map<string, string>();
  for (const name of ["appendfsync", "save"]) {
    const reply = (await ask(connection, "CONFIG", "GET", name)) as string[];
    if (reply[1] !== undefined) {
      settings.set(name, reply[1]);
    }
  }
  return settings;
}

async function readClock(
  connection: Connection,
): Promise<{ offsetMs: number; uncertaintyMs: number }> {
  const from = wallClockNow();
  const [seconds, microseconds] = (await ask(connection, "TIME")) as [string, string];
  const to = wallClockNow();
  const serverMs = Number(seconds) * 1_000 + Number(microseconds) / 1_000;
  if (!Number.isFinite(serverMs)) {
    throw new UnexpectedError("TIME gave an answer of an unknown shape");
  }
  return {
    offsetMs: Math.round(serverMs - (from + to) / 2),
    uncertaintyMs: Math.ceil((to - from) / 2),
  };
}

async function ask(
  connection: Connection,
  command: string,
  ...args: RedisArgument[]
): Promise<unknown> {
  try {
    return await connection.call(connection.client.call(command, ...args));
  } catch (error) {
    throw translateError(error, connection.lastError);
  }
}

async function known<T>(read: () => Promise<T>): Promise<Known<T>> {
  try {
    return { value: await read() };
  } catch (error) {
    if (error instanceof HoldfastError) {
      return { hidden: error.message };
    }
    return { hidden: "the answer has an unknown shape: is there a proxy that changes replies?" };
  }
}
