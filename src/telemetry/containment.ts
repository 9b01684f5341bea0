/** What a propagator, tracer, span or meter throws ends here: telemetry can never fail a job. */
import { diag } from "@opentelemetry/api";
import { monotonicNow } from "../core/model/clock.ts";
import { describeError } from "../core/model/errors.ts";
import { TELEMETRY_REPORT_INTERVAL_MS } from "../core/model/limits.ts";

const lastReports = new Map<string, number>();

/** @returns what the call returns; undefined if it throws */
export function contain<T>(what: string, call: () => T): T | undefined {
  try {
    return call();
  } catch (error) {
    reportFailure(what, error);
    return undefined;
  }
}

/** Tells the API's own diagnostics, once a minute for each thing that fails. */
export function reportFailure(what: string, error: unknown): void {
  const now = monotonicNow();
  const lastAt = lastReports.get(what) ?? Number.NEGATIVE_INFINITY;
  if (now - lastAt >= TELEMETRY_REPORT_INTERVAL_MS) {
    lastReports.set(what, now);
    try {
      diag.error(`holdfast: ${what} failed: ${describeError(error, 500)}`);
    } catch {
      // The logger itself throws: there is nobody left to tell.
    }
  }
}
