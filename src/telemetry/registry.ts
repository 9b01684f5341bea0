/**
 * What SDKs have registered with the OpenTelemetry API. Every copy of the API, of whatever version, keeps it
 * in this one place, and asks its version anew at each call. Looked at directly, a job without an SDK
 * costs next to nothing; and an SDK that this copy of the API cannot use is noticed.
 */
import { metrics, trace } from "@opentelemetry/api";

interface Registry {
  readonly version?: unknown;
  readonly trace?: unknown;
  readonly metrics?: unknown;
  readonly context?: unknown;
  readonly propagation?: unknown;
}

const KEY = Symbol.for("opentelemetry.js.api.1");
const EMPTY: Registry = {};

let lastTrace: unknown;
let lastMetrics: unknown;
let isTold = false;

/** Empty where no SDK is registered. */
export function registry(): Registry {
  return (globalThis as { [KEY]?: Registry })[KEY] ?? EMPTY;
}

/**
 * Warns once of an SDK that cannot be used: a copy of the API of a newer minor version than the one that
 * the SDK is registered with silently does nothing.
 */
export function warnOfOtherCopy(): void {
  const registered = registry();
  if (registered.trace === lastTrace && registered.metrics === lastMetrics) {
    return;
  }
  lastTrace = registered.trace;
  lastMetrics = registered.metrics;
  const isHidden =
    (lastTrace !== undefined && trace.getTracerProvider() !== lastTrace) ||
    (lastMetrics !== undefined && metrics.getMeterProvider() !== lastMetrics);
  if (isHidden && !isTold) {
    isTold = true;
    process.emitWarning(
      `an OpenTelemetry SDK is registered through @opentelemetry/api ${String(registered.version)}, but holdfast ` +
        "has another, newer copy of that package, which cannot use it: holdfast emits no spans and no metrics. " +
        "`npm ls @opentelemetry/api` shows the copies; install one version that both accept",
      { type: "HoldfastWarning", code: "OPENTELEMETRY_API_COPIES" },
    );
  }
}
