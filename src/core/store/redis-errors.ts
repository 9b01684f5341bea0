/** What Redis and ioredis report, as the errors that callers know. */
import {
  HoldfastError,
  IncompatibleDataError,
  QueueFullError,
  RedisRefusedError,
  RedisUnavailableError,
  UnsafeRedisError,
} from "../model/errors.ts";

/** States that pass by themselves: starting, failing over, resharding, busy, or too few replicas. */
const PASSING =
  /\b(LOADING|BUSY|CLUSTERDOWN|TRYAGAIN|MASTERDOWN|NOREPLICAS|MISCONF|UNBLOCKED|MOVED|ASK|UNKILLABLE)\b/;
const REFUSED = /\b(NOAUTH|WRONGPASS|NOPERM|unknown command|DENIED)\b/i;

export function isMissingScript(error: unknown): boolean {
  return error instanceof Error && error.message.includes("NOSCRIPT");
}

/** The error a caller should see for a failed call. Addresses and credentials are never part of it. */
export function translateError(error: unknown): HoldfastError {
  if (error instanceof HoldfastError) {
    return error;
  }
  const message = error instanceof Error ? error.message : String(error);
  const options = { cause: error };
  if (/\bOOM\b/.test(message)) {
    return new QueueFullError(
      "Redis is at its maxmemory limit and takes no new jobs; workers go on draining: raise maxmemory or wait",
      options,
    );
  }
  if (message.includes("WRONGTYPE")) {
    return new IncompatibleDataError(
      "a key of this queue holds another type than holdfast's: choose another queue name or prefix, or delete the key",
      options,
    );
  }
  if (message.includes("READONLY")) {
    return new UnsafeRedisError(
      "this Redis is a read-only replica: connect to the primary",
      options,
    );
  }
  if (REFUSED.test(message)) {
    return new RedisRefusedError(`Redis refused the call: ${message}`, options);
  }
  if (PASSING.test(message)) {
    return new RedisUnavailableError(`Redis cannot serve for the moment: ${message}`, options);
  }
  if (error instanceof Error && error.name === "ReplyError") {
    return new RedisRefusedError(`Redis reported an error: ${message}`, options);
  }
  return new RedisUnavailableError(`Redis cannot be reached: ${message}`, options);
}
