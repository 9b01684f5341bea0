/** OpenTelemetry's SDK 3 in memory, registered through the API 1.10 that it needs. */
import { context, metrics, propagation, trace } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { W3CTraceContextPropagator } from "@opentelemetry/core";
import { MeterProvider, MetricReader } from "@opentelemetry/sdk-metrics";
import {
  InMemorySpanExporter,
  SimpleSpanProcessor,
  TracerProvider,
} from "@opentelemetry/sdk-trace";

class ManualReader extends MetricReader {
  protected override onForceFlush(): Promise<void> {
    return Promise.resolve();
  }
  protected override onShutdown(): Promise<void> {
    return Promise.resolve();
  }
}

export interface Sdk3 {
  readonly spans: () => { name: string; spanId: string; linksTo: string[]; isRoot: boolean }[];
  readonly metricNames: () => Promise<string[]>;
  readonly unregister: () => void;
}

export function registerSdk3(): Sdk3 {
  const exporter = new InMemorySpanExporter();
  const reader = new ManualReader();
  const manager = new AsyncLocalStorageContextManager().enable();
  const isRegistered = [
    trace.setGlobalTracerProvider(
      new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter })] }),
    ),
    metrics.setGlobalMeterProvider(new MeterProvider({ readers: [reader] })),
    context.setGlobalContextManager(manager),
    propagation.setGlobalPropagator(new W3CTraceContextPropagator()),
  ].every(Boolean);
  if (!isRegistered) throw new Error("another SDK is registered");
  return {
    spans: () =>
      exporter.getFinishedSpans().map((span) => ({
        name: span.name.split(" ")[0]!,
        spanId: span.spanContext().spanId,
        linksTo: span.links.map((link) => link.context.spanId),
        isRoot: span.parentSpanContext === undefined,
      })),
    metricNames: async () => {
      const { resourceMetrics } = await reader.collect();
      return resourceMetrics.scopeMetrics
        .flatMap((scope) => scope.metrics)
        .map(({ descriptor }) => descriptor.name);
    },
    unregister: () => {
      trace.disable();
      metrics.disable();
      propagation.disable();
      context.disable();
      manager.disable();
    },
  };
}
