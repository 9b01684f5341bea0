/**
 * In which context code runs. A worker's loops run in the root context, for otherwise each of their looks
 * would belong to whatever span was active when the worker was started. The calls that holdfast sends to
 * Redis by itself make no spans: its own spans tell what they did.
 */
import { type Context, context, createContextKey, ROOT_CONTEXT } from "@opentelemetry/api";
import { contain, reportFailure } from "./containment.ts";
import { registry } from "./registry.ts";

/** The key by which the SDK and all instrumentations know it: `createContextKey` is `Symbol.for`. */
const SUPPRESS_TRACING = createContextKey("OpenTelemetry SDK Context Key SUPPRESS_TRACING");
const UNTRACED = ROOT_CONTEXT.setValue(SUPPRESS_TRACING, true);

/** Runs it in no trace. */
export function detached<T>(call: () => T): T {
  return runIn(ROOT_CONTEXT, call);
}

/** Runs it in no trace, and no instrumentation makes spans of it. */
export function untraced<T>(call: () => T): T {
  return runIn(UNTRACED, call);
}

/** Runs it once, whatever the context manager does; what it throws is thrown on. */
export function runIn<T>(active: Context, call: () => T): T {
  if (registry().context === undefined) {
    return call(); // there is but the root context
  }
  let isCalled = false;
  let hasThrown = false;
  let result: unknown;
  const callOnce = () => {
    if (isCalled) return;
    isCalled = true;
    try {
      result = call();
    } catch (error) {
      hasThrown = true;
      result = error;
    }
  };
  try {
    context.with(active, callOnce);
  } catch (error) {
    reportFailure("the context manager", error);
  }
  callOnce();
  if (hasThrown) throw result;
  return result as T;
}

/** The active context, or the root where the manager fails. */
export function activeContext(): Context {
  return registry().context === undefined
    ? ROOT_CONTEXT
    : (contain("the context manager", () => context.active()) ?? ROOT_CONTEXT);
}
