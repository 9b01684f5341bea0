/**
 * OpenTelemetry in each process of this example. The exporter sends to OTEL_EXPORTER_OTLP_ENDPOINT, as every
 * program with an SDK does: set it to your own collector, and the traces arrive there.
 */
import { context, propagation, SpanStatusCode, trace } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { W3CTraceContextPropagator } from "@opentelemetry/core";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-http";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { BasicTracerProvider, BatchSpanProcessor } from "@opentelemetry/sdk-trace-base";

/** Often, since one of these processes will be killed with what it has not sent. */
const EXPORT_INTERVAL_MS = 200;

/** @returns sends what is left, and ends */
export function startTracing(serviceName: string): () => Promise<void> {
  const provider = new BasicTracerProvider({
    resource: resourceFromAttributes({ "service.name": serviceName }),
    spanProcessors: [
      new BatchSpanProcessor(new OTLPTraceExporter(), { scheduledDelayMillis: EXPORT_INTERVAL_MS }),
    ],
  });
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  propagation.setGlobalPropagator(new W3CTraceContextPropagator());
  trace.setGlobalTracerProvider(provider);
  return () => provider.shutdown();
}

/** A span of the application's own. */
export function inSpan<T>(name: string, run: () => Promise<T>): Promise<T> {
  return trace.getTracer("shop").startActiveSpan(name, async (span) => {
    try {
      return await run();
    } catch (error) {
      const { message } = error as Error;
      span.setStatus({ code: SpanStatusCode.ERROR, message });
      throw error;
    } finally {
      span.end();
    }
  });
}
