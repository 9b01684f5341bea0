/** Options of a queue: what a caller may give, and the resolved form that the engine reads. */
import type { MeterProvider, TracerProvider } from "@opentelemetry/api";
import type { StandardSchemaV1 } from "@standard-schema/spec";
import type { Cluster, Redis, RedisOptions } from "ioredis";
import {
  checkBoolean,
  checkDuration,
  checkFunction,
  checkInteger,
  checkOneOf,
  checkOptionNames,
  checkText,
} from "./checks.ts";
import { type Codec, jsonCodec } from "./codec.ts";
import { type Durability, resolveDurability, type ResolvedDurability } from "./durability.ts";
import { InvalidOptionError, NOT_SHOWN } from "./errors.ts";
import * as limits from "./limits.ts";
import { TRACE_MODES, type TraceMode } from "./trace-mode.ts";

/** Where Redis is: a URL, options for ioredis, or a client of your own, which holdfast never closes. */
export type Connection = string | RedisOptions | Redis | Cluster;

/** Options of a queue. One that is misspelt or unknown is refused. */
export interface QueueOptions<Input, Output = Input> {
  /** Where Redis is. Default `redis://127.0.0.1:6379`. */
  readonly connection?: Connection;
  /** First part of every key, 1 to 64 bytes without `{` and `}`. Default `holdfast`. */
  readonly prefix?: string;
  /**
   * Over how many shards the queue is spread, 1 to 256: each shard lies on one node of a cluster, and
   * the shards evenly on all of them. Every process must name the same number; it can only be changed
   * while the queue holds no job. Default 1.
   */
  readonly shards?: number;
  /**
   * A Standard Schema (Zod, Valibot, ArkType, …). Payloads are checked against it when they are
   * enqueued and again when they are claimed; the handler gets its output. Default: no check.
   */
  readonly schema?: StandardSchemaV1<Input, Output>;
  /** How payloads become bytes and back. Default JSON. */
  readonly codec?: Codec;
  /** Largest encoded payload, in bytes. Default 1,048,576. */
  readonly maxPayloadBytes?: number;
  /** Milliseconds after which an unconfirmed `enqueue` rejects. Default 5,000. */
  readonly enqueueTimeoutMs?: number;
  /**
   * How many copies of a job an `enqueue` waits for, on a connection of its own, one a shard. Default: it resolves when
   * the primary has stored the job.
   */
  readonly durability?: Durability;
  /**
   * Whether enqueueing wakes a waiting worker through pub/sub. Without wake-ups, for servers or
   * proxies that lack pub/sub, a job is found by polling alone. Default true.
   */
  readonly wakeups?: boolean;
  /** Whether to accept a server that may evict jobs at its memory limit. Default false. */
  readonly allowUnsafeEviction?: boolean;
  /**
   * How the traces of jobs hang together that are enqueued through this object, see `TraceMode`. It travels
   * with each job, so that whoever runs it knows. Default "link".
   */
  readonly trace?: TraceMode;
  /**
   * Whether each job of an `enqueueMany` gets a `create` span, for up to 100 items; the jobs of larger calls, or
   * without these spans, share the span of the call. Default true.
   */
  readonly createSpans?: boolean;
  /** Whether `complete`, `retry`, `release` and `dead_letter` have spans. Default true. */
  readonly settleSpans?: boolean;
  /**
   * Where spans go. Default: the tracer provider registered with the OpenTelemetry API, before or later. Contexts
   * travel by the propagator that is registered there, in any case.
   */
  readonly tracerProvider?: TracerProvider;
  /** Where metrics go. Default: the meter provider registered with the OpenTelemetry API, before or later. */
  readonly meterProvider?: MeterProvider;
}

export interface ResolvedQueueOptions {
  readonly name: string;
  readonly connection: Connection;
  readonly prefix: string;
  readonly shards: number;
  readonly schema: StandardSchemaV1 | undefined;
  readonly codec: Codec;
  readonly maxPayloadBytes: number;
  readonly enqueueTimeoutMs: number;
  readonly durability: ResolvedDurability | undefined;
  readonly wakeups: boolean;
  readonly allowUnsafeEviction: boolean;
  readonly trace: TraceMode;
  readonly createSpans: boolean;
  readonly settleSpans: boolean;
  readonly tracerProvider: TracerProvider | undefined;
  readonly meterProvider: MeterProvider | undefined;
}

const OPTION_NAMES = [
  "connection",
  "prefix",
  "shards",
  "schema",
  "codec",
  "maxPayloadBytes",
  "enqueueTimeoutMs",
  "durability",
  "wakeups",
  "allowUnsafeEviction",
  "trace",
  "createSpans",
  "settleSpans",
  "tracerProvider",
  "meterProvider",
] as const satisfies readonly (keyof QueueOptions<unknown>)[];

/** @throws InvalidOptionError naming the option, its value and what is allowed */
export function resolveQueueOptions<Input, Output>(
  name: string,
  options: QueueOptions<Input, Output>,
): ResolvedQueueOptions {
  checkOptionNames("options", options, OPTION_NAMES);
  return Object.freeze({
    name: checkQueueName(name),
    connection: checkConnection(options.connection ?? "redis://127.0.0.1:6379"),
    prefix: checkUnbraced("prefix", options.prefix ?? "holdfast", limits.MAX_PREFIX_BYTES),
    shards: checkInteger("shards", options.shards ?? 1, 1, limits.MAX_SHARDS),
    schema: options.schema === undefined ? undefined : checkSchema(options.schema),
    codec: options.codec === undefined ? jsonCodec : checkCodec(options.codec),
    maxPayloadBytes: checkInteger(
      "maxPayloadBytes",
      options.maxPayloadBytes ?? limits.DEFAULT_MAX_PAYLOAD_BYTES,
      1,
      512 * 1024 * 1024,
    ),
    enqueueTimeoutMs: checkDuration("enqueueTimeoutMs", options.enqueueTimeoutMs ?? 5_000, 1),
    durability:
      options.durability === undefined ? undefined : resolveDurability(options.durability),
    wakeups: checkBoolean("wakeups", options.wakeups ?? true),
    allowUnsafeEviction: checkBoolean("allowUnsafeEviction", options.allowUnsafeEviction ?? false),
    trace: checkOneOf("trace", options.trace ?? "link", TRACE_MODES),
    createSpans: checkBoolean("createSpans", options.createSpans ?? true),
    settleSpans: checkBoolean("settleSpans", options.settleSpans ?? true),
    tracerProvider: checkProvider("tracerProvider", options.tracerProvider, "getTracer"),
    meterProvider: checkProvider("meterProvider", options.meterProvider, "getMeter"),
  });
}

/** Braces would move the hash tag; `/<number>` at the end is how the shards of a queue are told apart. */
function checkQueueName(name: unknown): string {
  const text = checkUnbraced("name", name, limits.MAX_QUEUE_NAME_BYTES);
  if (/\/\d+$/.test(text)) {
    throw new InvalidOptionError("name", name, "a name that does not end in a slash and a number");
  }
  return text;
}

function checkUnbraced(option: string, value: unknown, maxBytes: number): string {
  const text = checkText(option, value, maxBytes);
  if (/[{}]/.test(text)) {
    throw new InvalidOptionError(
      option,
      value,
      "without { and }, which mark the hash tag of a key",
    );
  }
  return text;
}

function checkConnection(connection: Connection): Connection {
  if (typeof connection === "string") {
    const protocol = URL.canParse(connection) ? new URL(connection).protocol : "";
    if (protocol !== "redis:" && protocol !== "rediss:") {
      throw new InvalidOptionError(
        "connection",
        NOT_SHOWN,
        "a URL that starts with redis:// or rediss://",
      );
    }
  } else if (
    typeof connection !== "object" ||
    connection === null ||
    Array.isArray(connection) ||
    (connection as object) instanceof URL
  ) {
    throw new InvalidOptionError(
      "connection",
      connection,
      "a URL, ioredis options, or an ioredis client",
    );
  }
  return connection;
}

function checkProvider<T>(option: string, provider: T, method: keyof NonNullable<T> & string): T {
  if (provider === undefined) return provider;
  if (typeof (provider as Record<string, unknown> | null)?.[method] !== "function") {
    throw new InvalidOptionError(option, provider, `an object with ${method}, such as an SDK's`);
  }
  return provider;
}

function checkSchema(schema: unknown): StandardSchemaV1 {
  const candidate = schema as StandardSchemaV1 | null;
  if (typeof candidate?.["~standard"]?.validate !== "function") {
    throw new InvalidOptionError(
      "schema",
      schema,
      "a Standard Schema, an object with `~standard`.validate",
    );
  }
  return candidate;
}

function checkCodec(codec: Codec): Codec {
  checkOptionNames("codec", codec, ["binary", "encode", "decode"]);
  checkFunction("codec.encode", codec.encode);
  checkFunction("codec.decode", codec.decode);
  checkBoolean("codec.binary", codec.binary ?? false);
  return codec;
}
