/**
 * Notices an SDK that this copy of the API cannot see. A copy of a newer minor version than the one
 * the SDK is registered with silently does nothing: then there are two copies of `@opentelemetry/api`
 * where there should be one.
 */
import { metrics, trace } from "@opentelemetry/api";

interface RegisteredApis {
  readonly version?: unknown;
  readonly trace?: unknown;
  readonly metrics?: unknown;
}

/** Where each copy of the API registers and looks, whatever its version. */
const REGISTRY = Symbol.for("opentelemetry.js.api.1");

let lastTrace: unknown;
let lastMetrics: unknown;
let isTold = false;

/** Cheap enough to be asked with each job as long as no provider is to be seen. Warns once. */
export function noticeOtherCopy(): void {
  const registered = (globalThis as { [REGISTRY]?: RegisteredApis })[REGISTRY];
  if (registered?.trace === lastTrace && registered?.metrics === lastMetrics) {
    return;
  }
  lastTrace = registered?.trace;
  lastMetrics = registered?.metrics;
  const isHidden =
    (lastTrace !== undefined && trace.getTracerProvider() !== lastTrace) ||
    (lastMetrics !== undefined && metrics.getMeterProvider() !== lastMetrics);
  if (isHidden && !isTold) {
    isTold = true;
    process.emitWarning(
      `an OpenTelemetry SDK is registered through @opentelemetry/api ${String(registered?.version)}, but holdfast ` +
        "has another, newer copy of that package, which cannot use it: holdfast emits no spans and no metrics. " +
        "`npm ls @opentelemetry/api` shows the copies; install one that both accept",
      { type: "HoldfastWarning", code: "OPENTELEMETRY_API_COPIES" },
    );
  }
}
