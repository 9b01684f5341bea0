/** How many copies an enqueue waits for: what a caller may ask, and the resolved form. */
import { checkDuration, checkInteger, checkOptionNames } from "./checks.ts";
import { type Confirmations, InvalidOptionError } from "./errors.ts";
import * as limits from "./limits.ts";

/** Copies in the memory of replicas (`WAIT`). */
export interface ReplicaDurability {
  /** Replicas that must have the job, 1 to 100. */
  readonly replicas: number;
  /** Milliseconds to wait for them, 1 to 60,000. Default 3,000. */
  readonly timeoutMs?: number;
}

/** Copies on disk, in append-only files (`WAITAOF`, Redis 7.2 or newer). */
export interface AofDurability {
  readonly aof: {
    /** 1: the primary must have the job on disk. Default 1. */
    readonly local?: 0 | 1;
    /** Replicas that must have the job on disk, 0 to 100. Default 0. */
    readonly replicas?: number;
  };
  /** Milliseconds to wait for them, 1 to 60,000. Default 3,000. */
  readonly timeoutMs?: number;
}

/** How many copies an `enqueue` waits for: one of the two. */
export type Durability = ReplicaDurability | AofDurability;

export interface ResolvedDurability {
  readonly command: "WAIT" | "WAITAOF";
  readonly required: Confirmations;
  readonly timeoutMs: number;
  /** The same for all levels that ask for the same. */
  readonly key: string;
}

/** @throws InvalidOptionError naming the option, its value and what is allowed */
export function resolveDurability(durability: Durability): ResolvedDurability {
  checkOptionNames("durability", durability, ["replicas", "aof", "timeoutMs"]);
  const { replicas, aof, timeoutMs: givenMs } = durability as ReplicaDurability & AofDurability;
  if ((replicas === undefined) === (aof === undefined)) {
    const allowed = "given as either { replicas } or { aof: { local, replicas } }";
    throw new InvalidOptionError("durability", durability, allowed);
  }
  const timeoutMs = checkDuration(
    "durability.timeoutMs",
    givenMs ?? limits.DEFAULT_DURABILITY_TIMEOUT_MS,
    1,
    limits.MAX_DURABILITY_TIMEOUT_MS,
  );
  const command = aof === undefined ? "WAIT" : "WAITAOF";
  const required =
    aof === undefined
      ? { local: 0, replicas: checkReplicas("durability.replicas", replicas, 1) }
      : checkAof(aof);
  const key = `${command} ${required.local} ${required.replicas} ${timeoutMs}`;
  return Object.freeze({ command, required: Object.freeze(required), timeoutMs, key });
}

function checkAof(aof: AofDurability["aof"]): Confirmations {
  checkOptionNames("durability.aof", aof, ["local", "replicas"]);
  const local = checkInteger("durability.aof.local", aof.local ?? 1, 0, 1);
  // With neither there would be nothing to wait for.
  const replicas = checkReplicas("durability.aof.replicas", aof.replicas ?? 0, 1 - local);
  return { local, replicas };
}

function checkReplicas(option: string, value: unknown, min: number): number {
  return checkInteger(option, value, min, limits.MAX_REPLICAS);
}
