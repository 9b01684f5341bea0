/**
 * A job's creation context: written beside its own headers by whatever propagator is registered, and read
 * again at each delivery.
 */
import {
  type Context,
  isSpanContextValid,
  propagation,
  ROOT_CONTEXT,
  type SpanContext,
  type TextMapGetter,
  type TextMapSetter,
  trace,
} from "@opentelemetry/api";
import type { Headers } from "../core/model/envelope.ts";
import { MAX_TRACE_HEADERS_BYTES } from "../core/model/limits.ts";
import { contain } from "./containment.ts";
import { registry } from "./registry.ts";

/** Goes first where there is too much; the traceparent never does. */
const EXPENDABLE = ["baggage", "tracestate"];

/** What of a job's envelope tells its creation context. */
export interface StoredContext {
  /** As `injectContext` wrote them. */
  readonly traceHeaders?: Headers | undefined;
  /** The caller's own, which may hold a context of their own making. */
  readonly headers?: Headers | undefined;
}

export interface CreationContext {
  /** No span, but baggage and whatever else the propagator knows. */
  readonly base: Context;
  /** The same with the span of the creation, as a remote parent. */
  readonly context: Context;
  /** Undefined where there is none. */
  readonly span: SpanContext | undefined;
  /** Whether something was there that the propagator could not read. */
  readonly isMalformed: boolean;
}

const NO_CREATION = { base: ROOT_CONTEXT, context: ROOT_CONTEXT, span: undefined };

/** Names are in lower case. Only own properties count, so that a header named `constructor` is one like others. */
type Carrier = Record<string, string>;

const setter: TextMapSetter<Carrier> = {
  set(carrier, name, value) {
    if (typeof name !== "string" || typeof value !== "string") return;
    if (/^[\x21-\x7e]+$/.test(name) && value.isWellFormed()) {
      carrier[name.toLowerCase()] = value;
    }
  },
};

const getter: TextMapGetter<Headers> = {
  get: (carrier, name) => {
    const lowerCase = name.toLowerCase();
    return Object.hasOwn(carrier, lowerCase) ? carrier[lowerCase] : undefined;
  },
  keys: (carrier) => Object.keys(carrier),
};

/** What the propagator writes of this context, within bounds; undefined where that is nothing. */
export function injectContext(context: Context): Headers | undefined {
  if (registry().propagation === undefined) {
    return undefined;
  }
  return contain("the propagator's inject", () => inject(context));
}

function inject(context: Context): Headers | undefined {
  const carrier = Object.create(null) as Carrier;
  propagation.inject(context, carrier, setter);
  const names = Object.keys(carrier);
  if (names.length === 0) {
    return undefined;
  }
  const others = names.filter((name) => !EXPENDABLE.includes(name) && name !== "traceparent");
  for (const name of [...EXPENDABLE, ...others, "traceparent"]) {
    if (bytesOf(carrier) <= MAX_TRACE_HEADERS_BYTES) break;
    delete carrier[name];
  }
  return Object.keys(carrier).length === 0 ? undefined : carrier;
}

/** Whether the caller's own headers hold a creation context, which then is not replaced. */
export function hasOwnContext(headers: Headers | undefined): boolean {
  return (
    headers !== undefined &&
    registry().propagation !== undefined &&
    holdsContext(lowerCased(headers))
  );
}

export function extractContext({ traceHeaders, headers }: StoredContext): CreationContext {
  const carrier = traceHeaders ?? lowerCased(headers ?? {});
  const context = contain("the propagator's extract", () => {
    const found = propagation.extract(ROOT_CONTEXT, carrier, getter);
    const span = trace.getSpanContext(found);
    const isValid = span !== undefined && isSpanContextValid(span);
    return {
      base: trace.deleteSpan(found),
      context: found,
      span: isValid ? span : undefined,
      isMalformed: false,
    };
  });
  if (context?.span) return context;
  return { ...(context ?? NO_CREATION), isMalformed: holdsContext(carrier) };
}

/** Whether there is a field by which the registered propagator names a span. */
function holdsContext(carrier: Headers): boolean {
  const names = contain("the propagator's fields", () =>
    propagation.fields().map((field) => field.toLowerCase()),
  );
  return names?.some((name) => !EXPENDABLE.includes(name) && Object.hasOwn(carrier, name)) ?? false;
}

function lowerCased(headers: Headers): Carrier {
  const carrier = Object.create(null) as Carrier;
  for (const [name, value] of Object.entries(headers)) {
    carrier[name.toLowerCase()] = value;
  }
  return carrier;
}

function bytesOf(carrier: Carrier): number {
  let bytes = 0;
  for (const [name, value] of Object.entries(carrier)) {
    bytes += name.length + Buffer.byteLength(value);
  }
  return bytes;
}
