// @ts-check
/** An OpenTelemetry SDK as a service would have it, but for where the spans go: into memory, and away. */
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { context, propagation, trace } from "@opentelemetry/api";
import { W3CTraceContextPropagator } from "@opentelemetry/core";
import {
  BasicTracerProvider,
  BatchSpanProcessor,
  InMemorySpanExporter,
} from "@opentelemetry/sdk-trace-base";

const keptSpans = 10_000;
/** Larger than the defaults, which would drop most spans at the speed of the bench. */
const batches = { maxQueueSize: 100_000, maxExportBatchSize: 5_000, scheduledDelayMillis: 100 };

let exported = 0;

class ForgettingExporter extends InMemorySpanExporter {
  /** @type {InMemorySpanExporter["export"]} */
  export(spans, done) {
    exported += spans.length;
    super.export(spans, done);
    if (this.getFinishedSpans().length > keptSpans) this.reset();
  }
}

const processor = new BatchSpanProcessor(new ForgettingExporter(), batches);

/** How many spans were exported in this process. */
export async function exportedSpans() {
  await processor.forceFlush();
  return exported;
}

export function startTracing() {
  trace.setGlobalTracerProvider(new BasicTracerProvider({ spanProcessors: [processor] }));
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  propagation.setGlobalPropagator(new W3CTraceContextPropagator());
}
