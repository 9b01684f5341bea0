/** WAIT and WAITAOF: how they are asked, and what they answer. */
import {
  type Confirmations,
  type HoldfastError,
  RedisRefusedError,
  RedisUnavailableError,
  UnexpectedError,
  UnsafeRedisError,
} from "../model/errors.ts";
import { withDeadline } from "../model/clock.ts";
import type { ResolvedDurability } from "../model/durability.ts";
import { NODE_TIMEOUT_MS } from "../model/limits.ts";
import type { RedisArgument, RedisClient } from "./client.ts";
import { translateError } from "./redis-errors.ts";

export function waitCommand(
  { command, required }: ResolvedDurability,
  waitMs: number,
): [string, ...RedisArgument[]] {
  return command === "WAIT"
    ? [command, required.replicas, waitMs]
    : [command, required.local, required.replicas, waitMs];
}

export function readConfirmations(level: ResolvedDurability, reply: unknown): Confirmations {
  const counts = (level.command === "WAIT" ? [0, reply] : reply) as unknown[];
  const [local, replicas] = Array.isArray(counts) ? counts.map(Number) : [];
  if (!Number.isInteger(local) || !Number.isInteger(replicas)) {
    throw new UnexpectedError(
      `${level.command} gave an answer of an unknown shape: is there a proxy that changes replies?`,
    );
  }
  return { local: local!, replicas: replicas! };
}

export function isEnough(confirmed: Confirmations, { required }: ResolvedDurability): boolean {
  return confirmed.local >= required.local && confirmed.replicas >= required.replicas;
}

/**
 * Whether this server can confirm at all, asked before anything is stored: waits for no replica, and at
 * most 1 ms for the disk.
 *
 * @throws RedisRefusedError, UnsafeRedisError saying what to change
 */
export async function checkCanConfirm(
  client: RedisClient,
  level: ResolvedDurability,
): Promise<void> {
  const harmless = { ...level, required: { local: level.required.local, replicas: 0 } };
  const ask = (node: RedisClient) => node.call(...waitCommand(harmless, 1));
  if (!client.isCluster) {
    await ask(client);
    return;
  }
  // A primary that is down or silent must not stop the queues of the others.
  const silent = () => new RedisUnavailableError(`no answer from a node in ${NODE_TIMEOUT_MS} ms`);
  const answers = await Promise.allSettled(
    client.nodes("master").map((node) => withDeadline(ask(node), NODE_TIMEOUT_MS, silent)),
  );
  for (const answer of answers) {
    if (answer.status === "rejected" && !translateWaitError(answer.reason, level).retryable) {
      throw answer.reason;
    }
  }
}

/** The error a caller should see where the server did not wait. */
export function translateWaitError(error: unknown, { command }: ResolvedDurability): HoldfastError {
  const message = error instanceof Error ? error.message : "";
  if (/unknown command/i.test(message)) {
    const since = command === "WAITAOF" ? ", which Redis 7.2 and Valkey 7.2 brought" : "";
    return new RedisRefusedError(
      `this server has no ${command}${since}: upgrade it, or change the option durability`,
    );
  }
  if (message.includes("appendonly is disabled")) {
    return new UnsafeRedisError(
      "durability.aof.local asks for the job on this Redis's disk, but it keeps no append-only file: " +
        "set appendonly to yes there, or durability.aof.local to 0",
    );
  }
  if (message.includes("replica instances")) {
    return new RedisUnavailableError("this Redis has just become a replica");
  }
  return translateError(error);
}
