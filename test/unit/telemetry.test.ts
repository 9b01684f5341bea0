/** The parts of telemetry that need no Redis: what is stored of a context, names, and errors in few words. */
import { context, createContextKey, propagation, ROOT_CONTEXT, trace } from "@opentelemetry/api";
import { suppressTracing } from "@opentelemetry/core";
import { afterEach, describe, expect, test } from "vitest";
import { HandlerTimeoutError, PayloadError } from "../../src/index.ts";
import { MAX_TRACE_HEADERS_BYTES } from "../../src/core/model/limits.ts";
import { untraced } from "../../src/telemetry/contexts.ts";
import { errorType } from "../../src/telemetry/error-type.ts";
import { SCOPE_VERSION } from "../../src/telemetry/names.ts";
import { extractContext, hasOwnContext, injectContext } from "../../src/telemetry/propagation.ts";
import packageJson from "../../package.json" with { type: "json" };
import { testTelemetry } from "../helpers/telemetry.ts";

afterEach(() => propagation.disable());

const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/** A propagator that writes just this. */
function write(entries: Record<string, unknown>): void {
  propagation.setGlobalPropagator({
    inject: (_context, carrier, setter) => {
      for (const [name, value] of Object.entries(entries)) {
        setter.set(carrier, name, value as string);
      }
    },
    extract: (context) => context,
    fields: () => Object.keys(entries),
  });
}

describe("what is stored of a context", () => {
  test("is whatever the propagator writes", () => {
    write({ "X-B3-TraceId": "80f198ee56343ba8", "x-amzn-trace-id": "Root=1" });
    expect({ ...injectContext(ROOT_CONTEXT) }).toEqual({
      "x-b3-traceid": "80f198ee56343ba8",
      "x-amzn-trace-id": "Root=1",
    });
  });

  test.each([
    [
      "all that fits",
      { traceparent, tracestate: "a=b", baggage: "c=d" },
      ["traceparent", "tracestate", "baggage"],
    ],
    [
      "no baggage of 8 KiB",
      { traceparent, tracestate: "a=b", baggage: "c".repeat(8_192) },
      ["traceparent", "tracestate"],
    ],
    [
      "no baggage where the state alone would fit",
      { baggage: "c".repeat(1_800), tracestate: "a".repeat(1_800), traceparent },
      ["tracestate", "traceparent"],
    ],
    [
      "no state either, but always the parent",
      { traceparent, tracestate: "a".repeat(3_000), baggage: "c".repeat(3_000) },
      ["traceparent"],
    ],
    ["nothing else that is too large", { traceparent, other: "o".repeat(3_000) }, ["traceparent"]],
    ["bytes count, not characters", { traceparent, baggage: "ü".repeat(1_000) }, ["traceparent"]],
  ])("%s", (_, entries, kept) => {
    write(entries);
    const stored = injectContext(ROOT_CONTEXT)!;
    expect(Object.keys(stored)).toEqual(kept);
    const bytes = Object.entries(stored).reduce(
      (sum, [name, value]) => sum + name.length + Buffer.byteLength(value),
      0,
    );
    expect(bytes).toBeLessThanOrEqual(MAX_TRACE_HEADERS_BYTES);
  });

  test("holds no name or value that could not be stored", () => {
    write({ "na me": "x", "": "x", ok: "\ud800", number: 7, fine: "x" });
    expect(Object.entries(injectContext(ROOT_CONTEXT)!)).toEqual([["fine", "x"]]);
  });

  test("is nothing where the propagator writes nothing, or there is none", () => {
    write({});
    expect(injectContext(ROOT_CONTEXT)).toBeUndefined();
    propagation.disable();
    expect(injectContext(ROOT_CONTEXT)).toBeUndefined();
    expect(hasOwnContext({ traceparent })).toBe(false);
  });
});

test("a header named like a member of Object.prototype is a header like others", () => {
  testTelemetry();
  const headers = JSON.parse(`{"__proto__":"x","constructor":"y","TraceParent":"${traceparent}"}`);
  expect(hasOwnContext(headers)).toBe(true);
  const creation = extractContext({ headers });
  expect(creation.span?.spanId).toBe("b7ad6b7169203331");
  expect(trace.getSpan(creation.base)).toBeUndefined();
});

test("tracing is suppressed by the key that the SDK and its instrumentations know", () => {
  testTelemetry();
  const name = "OpenTelemetry SDK Context Key SUPPRESS_TRACING";
  const key = createContextKey(name);
  expect(suppressTracing(ROOT_CONTEXT).getValue(key)).toBe(true);
  expect(untraced(() => context.active().getValue(key))).toBe(true);
});

describe("error.type", () => {
  test.each<[string, unknown, string]>([
    ["a holdfast error's code", new HandlerTimeoutError("late"), "HANDLER_TIMEOUT"],
    ["the name of another", new RangeError("far"), "RangeError"],
    [
      "no message, nor an id in place of a name",
      Object.assign(new Error(), { name: "job 7" }),
      "_OTHER",
    ],
    ["nothing of what is no error", "text", "_OTHER"],
    ["nothing of undefined", undefined, "_OTHER"],
    ["nothing of a name that throws", throwingName(), "_OTHER"],
    ["nothing of what throws when it is looked at", hostile(), "_OTHER"],
  ])("%s", (_, error, type) => {
    expect(errorType(error)).toBe(type);
  });

  test("a hundred names at most", () => {
    const named = (index: number) => Object.assign(new Error(), { name: `E${index}` });
    const types = Array.from({ length: 1_000 }, (_, index) => errorType(named(index)));
    expect(new Set(types).size).toBeLessThanOrEqual(101);
    expect(errorType(named(0))).toBe("E0");
    expect(errorType(named(999))).toBe("_OTHER");
    // holdfast's own codes are few, and never crowded out.
    expect(errorType(new PayloadError("too large"))).toBe("PAYLOAD");
  });
});

test("the scope's version is the package's", () => {
  expect(SCOPE_VERSION).toBe(packageJson.version);
});

function hostile(): unknown {
  return new Proxy(
    {},
    {
      getPrototypeOf: () => {
        throw new Error("no prototype");
      },
    },
  );
}

function throwingName(): Error {
  return Object.defineProperty(new Error(), "name", {
    get: () => {
      throw new Error("no name");
    },
  });
}
