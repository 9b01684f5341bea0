/** An OpenTelemetry SDK in memory, registered for one test. */
import {
  context,
  metrics,
  propagation,
  type Span,
  SpanKind,
  SpanStatusCode,
  trace,
} from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import {
  CompositePropagator,
  W3CBaggagePropagator,
  W3CTraceContextPropagator,
} from "@opentelemetry/core";
import { MeterProvider, type MetricData, MetricReader } from "@opentelemetry/sdk-metrics";
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  type ReadableSpan,
  type Sampler,
  SimpleSpanProcessor,
} from "@opentelemetry/sdk-trace-base";
import { onTestFinished } from "vitest";
import { waitFor } from "./wait-for.ts";

class ManualReader extends MetricReader {
  protected override onForceFlush(): Promise<void> {
    return Promise.resolve();
  }
  protected override onShutdown(): Promise<void> {
    return Promise.resolve();
  }
}

/** A span as the tests compare it. */
export interface SeenSpan {
  readonly name: string;
  readonly kind: keyof typeof SpanKind;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentId: string | undefined;
  readonly links: readonly { readonly spanId: string; readonly attributes: object | undefined }[];
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly events: readonly string[];
  readonly status: keyof typeof SpanStatusCode;
  readonly message: string | undefined;
}

/** One series of a metric: its attributes, and its sum, or how many values it got. */
export interface SeenPoint {
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly value: number;
}

export interface TestTelemetry {
  readonly spans: () => readonly SeenSpan[];
  /** Those whose name begins so, once there are as many. */
  readonly spansOf: (operation: string, count?: number) => Promise<SeenSpan[]>;
  readonly reset: () => void;
  /** All metrics, or those of this name. */
  readonly metrics: () => Promise<MetricData[]>;
  readonly points: (name: string) => Promise<SeenPoint[]>;
  readonly tracerProvider: BasicTracerProvider;
  readonly meterProvider: MeterProvider;
}

/** Providers that nobody has registered. */
export function unregisteredTelemetry(sampler?: Sampler): TestTelemetry {
  const exporter = new InMemorySpanExporter();
  const tracerProvider = new BasicTracerProvider({
    ...(sampler && { sampler }),
    spanProcessors: [new SimpleSpanProcessor(exporter)],
  });
  const reader = new ManualReader();
  const meterProvider = new MeterProvider({ readers: [reader] });
  const spans = () => exporter.getFinishedSpans().map(seenSpan);
  const collect = async () => {
    const { resourceMetrics, errors } = await reader.collect();
    if (errors.length > 0) throw new AggregateError(errors, "collecting metrics failed");
    return resourceMetrics.scopeMetrics.flatMap((scope) => scope.metrics);
  };
  const find = (operation: string) =>
    spans().filter(({ name }) => name.startsWith(`${operation} `));
  return {
    tracerProvider,
    meterProvider,
    spans,
    spansOf: async (operation, count = 1) => {
      await waitFor(() => find(operation).length >= count, {
        what: `${count} spans "${operation}" of ${JSON.stringify(spans().map(({ name }) => name))}`,
      });
      return find(operation);
    },
    reset: () => exporter.reset(),
    metrics: collect,
    points: async (name) => {
      const metric = (await collect()).find(({ descriptor }) => descriptor.name === name);
      return (metric?.dataPoints ?? []).map(({ attributes, value }) => ({
        attributes,
        value: typeof value === "number" ? value : (value as { count: number }).count,
      }));
    },
  };
}

/** Providers, a context manager and propagators, registered until the test ends. */
export function testTelemetry(sampler?: Sampler): TestTelemetry {
  const telemetry = unregisteredTelemetry(sampler);
  registerTelemetry(telemetry);
  return telemetry;
}

export function registerTelemetry({ tracerProvider, meterProvider }: TestTelemetry): void {
  const manager = new AsyncLocalStorageContextManager().enable();
  onTestFinished(() => {
    trace.disable();
    metrics.disable();
    propagation.disable();
    context.disable();
    manager.disable();
  });
  const isRegistered = [
    trace.setGlobalTracerProvider(tracerProvider),
    metrics.setGlobalMeterProvider(meterProvider),
    context.setGlobalContextManager(manager),
    propagation.setGlobalPropagator(
      new CompositePropagator({
        propagators: [new W3CTraceContextPropagator(), new W3CBaggagePropagator()],
      }),
    ),
  ].every(Boolean);
  if (!isRegistered) throw new Error("another test has left its SDK behind");
}

/** Runs it within a span of the application's own. */
export function withinSpan<T>(
  { tracerProvider }: TestTelemetry,
  run: (span: Span) => T,
  name = "request",
): T {
  const span = tracerProvider.getTracer("application").startSpan(name);
  try {
    return context.with(trace.setSpan(context.active(), span), () => run(span));
  } finally {
    span.end();
  }
}

function seenSpan(span: ReadableSpan): SeenSpan {
  return {
    name: span.name,
    kind: SpanKind[span.kind] as keyof typeof SpanKind,
    traceId: span.spanContext().traceId,
    spanId: span.spanContext().spanId,
    parentId: span.parentSpanContext?.spanId,
    links: span.links.map((link) => ({ spanId: link.context.spanId, attributes: link.attributes })),
    attributes: span.attributes,
    events: span.events.map(({ name }) => name),
    status: SpanStatusCode[span.status.code] as keyof typeof SpanStatusCode,
    message: span.status.message,
  };
}
