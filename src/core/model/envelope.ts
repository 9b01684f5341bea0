/**
 * The stored form of a job, opaque to the scripts:
 * `1<enqueued at, base 36>-<nonce>[<JSON of options>]\n<payload>`. The nonce tells a second call with the
 * same content from a resend of the first. JSON never holds a raw line feed, so the first one ends the
 * head, and the payload is untouched bytes.
 */
import { PayloadError } from "./errors.ts";
import { newNonce } from "./ids.ts";
import { TRACE_MODES, type TraceMode } from "./trace-mode.ts";

const FORMAT = "1";
const LINE_FEED = 10;

/** Strings that travel with a job, beside its payload. */
export type Headers = Readonly<Record<string, string>>;

export interface Envelope {
  /** By the producer's clock, in milliseconds since 1970. */
  readonly enqueuedAtMs: number;
  /** Set if the job has a limit of its own. */
  readonly maxAttempts?: number | undefined;
  readonly headers?: Headers | undefined;
  /** "link" where nothing is said. */
  readonly trace?: TraceMode | undefined;
  /** The creation context, as the producer's propagator wrote it. */
  readonly traceHeaders?: Headers | undefined;
  readonly payload: string | Uint8Array;
}

interface HeadOptions {
  m?: number;
  h?: Headers;
  t?: TraceMode;
  c?: Headers;
}

const NO_HEADERS: Headers = Object.freeze(Object.create(null));

export function encodeEnvelope(envelope: Envelope): string | Buffer {
  const { enqueuedAtMs, maxAttempts, headers, trace = "link", traceHeaders, payload } = envelope;
  let head = `${FORMAT}${timeText(enqueuedAtMs)}-${newNonce()}`;
  const isTraced = trace !== "link" || traceHeaders !== undefined;
  if (maxAttempts !== undefined || headers !== undefined || isTraced) {
    const options: HeadOptions = {};
    if (maxAttempts !== undefined) options.m = maxAttempts;
    if (headers !== undefined) options.h = headers;
    if (trace !== "link") options.t = trace;
    if (traceHeaders !== undefined) options.c = traceHeaders;
    head += JSON.stringify(options);
  }
  if (typeof payload === "string") {
    return `${head}\n${payload}`;
  }
  return Buffer.concat([Buffer.from(`${head}\n`), payload]);
}

let lastTimeMs = -1;
let lastTimeText = "";

/** In base 36. Many jobs of one producer share a millisecond, and no number is printed as slowly as one of another base. */
function timeText(timeMs: number): string {
  if (timeMs !== lastTimeMs) {
    lastTimeMs = timeMs;
    lastTimeText = timeMs.toString(36);
  }
  return lastTimeText;
}

/** @throws PayloadError if these are not the bytes of an envelope */
export function decodeEnvelope(stored: string | Buffer): Required<Envelope> {
  const end = typeof stored === "string" ? stored.indexOf("\n") : stored.indexOf(LINE_FEED);
  const head = typeof stored === "string" ? stored.slice(0, end) : stored.toString("utf8", 0, end);
  const match = end > 0 ? /^1([0-9a-z]{1,11})-[0-9a-z]+(\{.*\})?$/s.exec(head) : null;
  const enqueuedAtMs = match ? Number.parseInt(match[1]!, 36) : Number.NaN;
  if (!match || !Number.isSafeInteger(enqueuedAtMs)) {
    throw new PayloadError("the stored envelope is not one that this release of holdfast can read");
  }
  const options = match[2] === undefined ? {} : parseOptions(match[2]);
  return {
    enqueuedAtMs,
    maxAttempts: options.m,
    headers: options.h ?? NO_HEADERS,
    // A trace that cannot be read must not keep a job from running.
    trace: TRACE_MODES.includes(options.t!) ? options.t : undefined,
    traceHeaders: isHeaders(options.c) ? options.c : undefined,
    payload: stored.slice(end + 1),
  };
}

function parseOptions(text: string): HeadOptions {
  let options: HeadOptions;
  try {
    options = JSON.parse(text) as HeadOptions;
  } catch (cause) {
    throw new PayloadError("the head of the stored envelope is damaged", { cause });
  }
  const { m: maxAttempts, h: headers } = options;
  const hasGoodLimit =
    maxAttempts === undefined || (Number.isSafeInteger(maxAttempts) && maxAttempts > 0);
  if (!hasGoodLimit || (headers !== undefined && !isHeaders(headers))) {
    throw new PayloadError("the head of the stored envelope is damaged");
  }
  // A null prototype keeps a header named `__proto__` what it is: a name.
  return headers === undefined
    ? options
    : { ...options, h: Object.freeze(Object.assign(Object.create(null), headers) as Headers) };
}

function isHeaders(value: unknown): value is Headers {
  return (
    typeof value === "object" &&
    value !== null &&
    !Array.isArray(value) &&
    Object.values(value).every((item) => typeof item === "string")
  );
}
