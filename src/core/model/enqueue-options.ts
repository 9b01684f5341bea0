/** Options of one job, and when it is due. */
import { checkDuration, checkId, checkOneOf, checkOptionNames } from "./checks.ts";
import { type Durability, resolveDurability, type ResolvedDurability } from "./durability.ts";
import type { Headers } from "./envelope.ts";
import { InvalidOptionError } from "./errors.ts";
import { newJobId } from "./ids.ts";
import * as limits from "./limits.ts";
import { TRACE_MODES, type TraceMode } from "./trace-mode.ts";
import { checkMaxAttempts } from "./worker-options.ts";

/** When a job is due: one of the two, or neither for at once. */
export interface DueOptions {
  /** Milliseconds from now, by Redis's clock. */
  readonly delayMs?: number;
  /** A moment: a Date, or milliseconds since 1970. One that has passed makes the job due at once. */
  readonly runAt?: Date | number;
}

/** Options of one job. */
export interface EnqueueOptions extends DueOptions {
  /** 1 to 128 bytes. An id that the queue holds already is not stored again. Default: a new one, sorted by time. */
  readonly id?: string;
  /** Failed attempts after which the job is buried. Default: the worker's `maxAttempts`. */
  readonly maxAttempts?: number;
  /**
   * Strings that travel with the job, at most 64 and 8,192 bytes. A trace context among them, such as a
   * `traceparent`, is taken for the one that created the job.
   */
  readonly headers?: Headers;
  /** How many copies to wait for; false for none. Default: the queue's `durability`. */
  readonly durability?: Durability | false;
  /** How the job's traces hang together, see `TraceMode`. Default: the queue's `trace`. */
  readonly trace?: TraceMode;
}

export interface ResolvedEnqueueOptions {
  readonly id: string;
  /** As the scripts read it: `+<ms>` from now, or `<ms>` since 1970. */
  readonly due: string;
  readonly maxAttempts: number | undefined;
  readonly headers: Headers | undefined;
  readonly durability: ResolvedDurability | undefined;
  readonly trace: TraceMode;
}

type QueueDefaults = Pick<ResolvedEnqueueOptions, "durability" | "trace">;

const DUE_NAMES = ["delayMs", "runAt"];
const OPTION_NAMES = [...DUE_NAMES, "id", "maxAttempts", "headers", "durability", "trace"];
const ITEM_NAMES = ["data", ...OPTION_NAMES];

/**
 * @param queue what holds where the options say nothing
 * @throws InvalidOptionError naming the option, its value and what is allowed
 */
export function resolveEnqueueOptions(
  options: EnqueueOptions,
  queue: QueueDefaults,
): ResolvedEnqueueOptions {
  checkOptionNames("options", options, OPTION_NAMES);
  return resolve(options, queue);
}

/** As `resolveEnqueueOptions`, of an item that has its data beside its options. */
export function resolveItemOptions(
  item: EnqueueOptions & { readonly data: unknown },
  queue: QueueDefaults,
): ResolvedEnqueueOptions {
  checkOptionNames("item", item, ITEM_NAMES);
  return resolve(item, queue);
}

function resolve(options: EnqueueOptions, queue: QueueDefaults): ResolvedEnqueueOptions {
  return {
    id: options.id === undefined ? newJobId() : checkId(options.id),
    due: resolveDue(options),
    maxAttempts:
      options.maxAttempts === undefined ? undefined : checkMaxAttempts(options.maxAttempts),
    headers: options.headers === undefined ? undefined : checkHeaders(options.headers),
    durability: resolveOwnDurability(options.durability, queue.durability),
    trace:
      options.trace === undefined ? queue.trace : checkOneOf("trace", options.trace, TRACE_MODES),
  };
}

function resolveOwnDurability(
  own: Durability | false | undefined,
  queueDurability: ResolvedDurability | undefined,
): ResolvedDurability | undefined {
  if (own === undefined) {
    return queueDurability;
  }
  return own === false ? undefined : resolveDurability(own);
}

/** @throws InvalidOptionError if the due time is missing, doubled or out of range */
export function resolveNewDue(options: DueOptions): string {
  checkOptionNames("options", options, DUE_NAMES);
  if (options.delayMs === undefined && options.runAt === undefined) {
    throw new InvalidOptionError("runAt", undefined, "set, or delayMs in its place");
  }
  return resolveDue(options);
}

function resolveDue({ delayMs, runAt }: DueOptions): string {
  if (runAt === undefined) {
    return delayMs === undefined ? "+0" : `+${checkDuration("delayMs", delayMs)}`;
  }
  if (delayMs !== undefined) {
    throw new InvalidOptionError(
      "delayMs",
      delayMs,
      "left out where runAt is given: a job has one due time",
    );
  }
  const time = runAt instanceof Date ? runAt.getTime() : runAt;
  if (!Number.isSafeInteger(time) || time < 0 || time > limits.MAX_DATE_MS) {
    throw new InvalidOptionError(
      "runAt",
      runAt,
      `a valid Date, or whole milliseconds since 1970 up to ${limits.MAX_DATE_MS}`,
    );
  }
  return String(time);
}

function checkHeaders(headers: Headers): Headers {
  if (typeof headers !== "object" || headers === null || Array.isArray(headers)) {
    throw new InvalidOptionError("headers", headers, "an object of strings");
  }
  const entries = Object.entries(headers);
  let bytes = 0;
  for (const [name, value] of entries) {
    if (typeof value !== "string" || !value.isWellFormed() || !/^[\x21-\x7e]+$/.test(name)) {
      throw new InvalidOptionError(
        `headers[${JSON.stringify(name)}]`,
        value,
        "a name of visible ASCII and a string of valid Unicode",
      );
    }
    bytes += name.length + Buffer.byteLength(value);
  }
  if (entries.length > limits.MAX_HEADERS || bytes > limits.MAX_HEADERS_BYTES) {
    const allowed = `at most ${limits.MAX_HEADERS} entries and ${limits.MAX_HEADERS_BYTES} bytes in all`;
    throw new InvalidOptionError("headers", `${entries.length} entries, ${bytes} bytes`, allowed);
  }
  return Object.fromEntries(entries); // what was checked, whatever its owner does with it now
}
