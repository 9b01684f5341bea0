/** Runs scripts by their SHA-1 on one queue's keys, loading them where the server does not know them. */
import keySlot from "cluster-key-slot";
import type { ScriptDefinition } from "../../scripts/definition.ts";
import { settlesWithin } from "../model/clock.ts";
import { NODE_TIMEOUT_MS } from "../model/limits.ts";
import type { RedisArgument, RedisClient } from "./client.ts";
import type { Connection } from "./connection.ts";
import type { QueueKeys } from "./keys.ts";
import { isMissingScript, translateError } from "./redis-errors.ts";

/** The arguments of a script by name. */
export type ScriptArguments<S extends ScriptDefinition> = Readonly<
  Record<S["args"][number], RedisArgument>
>;

export interface CallOptions {
  /** The repeating arguments, flat. */
  readonly list?: readonly RedisArgument[];
  /** Whether bulk strings come back as Buffers. */
  readonly asBuffers?: boolean;
  readonly timeoutMs?: number;
}

export class ScriptRunner {
  readonly #connection: Connection;
  readonly #keys: QueueKeys;
  readonly #heads = new Map<ScriptDefinition, readonly RedisArgument[]>();

  constructor(connection: Connection, keys: QueueKeys) {
    this.#connection = connection;
    this.#keys = keys;
  }

  /** Of a cluster: the node that has the keys, as far as the client knows. */
  get home(): string | undefined {
    const { slots, options } = this.#connection.client;
    return slots?.[keySlot(`${options?.keyPrefix ?? ""}${this.#keys.meta}`)]?.[0];
  }

  /** @throws HoldfastError for whatever goes wrong */
  async run<S extends ScriptDefinition>(
    script: S,
    args: ScriptArguments<S>,
    { list = [], asBuffers = false, timeoutMs }: CallOptions = {},
  ): Promise<unknown> {
    const command = this.command(script, args, list);
    const { client } = this.#connection;
    const send = (reply: Promise<unknown>) => this.#connection.call(reply, timeoutMs);
    const evalsha = () =>
      asBuffers ? client.evalshaBuffer(...command) : client.evalsha(...command);
    try {
      return await send(evalsha())
        .catch(async (error: unknown) => {
          throwUnlessMissing(error);
          await send(loadScript(client, script));
          return await send(evalsha());
        })
        .catch(async (error: unknown) => {
          throwUnlessMissing(error); // flushed again in between: load and run in one
          const withSource = [script.source, ...command.slice(1)];
          return await send(
            asBuffers ? client.evalBuffer(...withSource) : client.eval(...withSource),
          );
        });
    } catch (error) {
      const translated = translateError(error, this.#connection.lastError);
      if (translated.code === "REDIS_UNAVAILABLE") {
        // The primary may be elsewhere by now. ioredis by itself does not ask on READONLY or silence.
        client.refreshSlotsCache?.();
      }
      throw translated;
    }
  }

  /** The script's SHA-1, the number of its keys, keys and arguments. */
  command<S extends ScriptDefinition>(
    script: S,
    args: ScriptArguments<S>,
    list: readonly RedisArgument[],
  ): RedisArgument[] {
    const values = script.args.map((name) => args[name as S["args"][number]]);
    return [...this.#head(script), ...values, ...list];
  }

  #head(script: ScriptDefinition): readonly RedisArgument[] {
    let head = this.#heads.get(script);
    if (!head) {
      const keys = script.keys.map((part) => this.#keys[part as keyof QueueKeys]);
      head = [script.sha1, keys.length, ...keys];
      this.#heads.set(script, head);
    }
    return head;
  }
}

function throwUnlessMissing(error: unknown): void {
  if (!isMissingScript(error)) {
    throw error;
  }
}

/**
 * SCRIPT LOAD names no key, so a cluster client would send it to any node: every primary gets it. One
 * that fails or is silent must not stop the queues of the others; where the script is missing still, its
 * source goes along with the call.
 */
async function loadScript(client: RedisClient, script: ScriptDefinition): Promise<void> {
  if (client.isCluster) {
    const loads = client.nodes("master").map((node) => node.script("LOAD", script.source));
    await settlesWithin(Promise.allSettled(loads), NODE_TIMEOUT_MS);
  } else {
    await client.script("LOAD", script.source);
  }
}
