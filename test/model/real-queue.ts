/** The scripts on a real Redis: one call, Redis's clock before and after it, and all it left behind. */
import type { Redis } from "ioredis";
import type { Connection } from "../../src/core/store/connection.ts";
import { queueKeys, type QueueKeys } from "../../src/core/store/keys.ts";
import { ScriptRunner } from "../../src/core/store/script-runner.ts";
import type { ScriptDefinition } from "../../src/scripts/definition.ts";
import * as scripts from "../../src/scripts/generated.ts";
import { uniqueName } from "../helpers/redis.ts";
import { readSnapshot, shiftTimes, type Snapshot } from "../helpers/script-state.ts";
import type { Call, Reply } from "./calls.ts";
import type { LastClaim } from "./reference-queue.ts";

const definitions: Readonly<Record<Call["script"], ScriptDefinition>> = scripts;

export interface Seen {
  readonly reply: Reply;
  readonly fromUs: number;
  readonly toUs: number;
  readonly snapshot: Snapshot;
  readonly claims: ReadonlyMap<string, LastClaim>;
}

export class RealQueue {
  readonly #client: Redis;
  readonly #keys: QueueKeys;
  readonly #runner: ScriptRunner;
  readonly #wakeChannel: string;

  /** @param wakeChannel prefix of the workers' channels; empty for no wake-ups */
  constructor(client: Redis, connection: Connection, wakeChannel: string) {
    this.#client = client;
    this.#keys = queueKeys("holdfast-test", uniqueName("model"));
    this.#runner = new ScriptRunner(connection, this.#keys);
    this.#wakeChannel = wakeChannel;
  }

  /** All commands of a step travel together: a connection's commands run in their order. */
  async call(call: Call): Promise<Seen> {
    const script = definitions[call.script];
    const given = "args" in call ? call.args : {};
    const args = { ...given, wakeChannel: this.#wakeChannel, dataVersion: 1, shards: 1 };
    const items: readonly object[] = "items" in call ? call.items : [];
    const list = items.flatMap((item) => valuesByName(item, script.listFields));
    const [from, reply, { toUs, claims }, snapshot] = await Promise.all([
      this.#client.time(),
      this.#runner.run(script, args, { list }),
      this.#readClaims(),
      readSnapshot(this.#client, this.#keys),
    ]);
    return { reply: reply as Reply, fromUs: microseconds(from), toUs, claims, snapshot };
  }

  passTime(ms: number): Promise<void> {
    return shiftTimes(this.#client, this.#keys, ms);
  }

  /** As if the last token came from a clock that was ahead. */
  async setToken(token: number): Promise<void> {
    await this.#client.hset(this.#keys.meta, "token", token);
  }

  async clear(): Promise<void> {
    await this.#client.unlink(Object.values(this.#keys) as string[]);
  }

  async #readClaims(): Promise<{ toUs: number; claims: Map<string, LastClaim> }> {
    const reply = (await this.#client.eval(READ_CLAIMS, 1, this.#keys.claims)) as ClaimsReply;
    const [seconds, microsecondsLeft, ...entries] = reply;
    const claims = entries.map(([workerId, at, request, token, wasFull, ...taken]) => {
      const jobs = Array.from({ length: taken.length / 2 }, (_, index) => ({
        id: taken[index * 2]!,
        due: Number(taken[index * 2 + 1]),
      }));
      const numbers = { at: Number(at), request: Number(request), token: Number(token) };
      return [workerId, { ...numbers, wasFull: wasFull === "1", taken: jobs }] as const;
    });
    return { toUs: microseconds([seconds, microsecondsLeft]), claims: new Map(claims) };
  }
}

type ClaimEntry = [string, string, string, string, string, ...string[]];
type ClaimsReply = [string, string, ...ClaimEntry[]];

const READ_CLAIMS = `
local reply = redis.call("TIME")
local entries = redis.call("HGETALL", KEYS[1])
for at = 1, #entries, 2 do
  local claimed_at, request, token, was_full, packed =
    string.match(entries[at + 1], "^(%d+):(%d+):(%d+):([01]):(.*)$")
  reply[#reply + 1] = {
    entries[at], claimed_at, request, token, was_full, unpack(cmsgpack.unpack(packed)),
  }
end
return reply`;

function microseconds([seconds, rest]: readonly (number | string)[]): number {
  return Number(seconds) * 1_000_000 + Number(rest);
}

function valuesByName(item: object, names: readonly string[]): (string | number)[] {
  const values = item as Readonly<Record<string, string | number>>;
  return names.map((name) => {
    const value = values[name];
    if (value === undefined) throw new Error(`an item without ${name}`);
    return value;
  });
}
