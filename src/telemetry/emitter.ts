/**
 * Where spans and measurements of a queue go. Each question is answered anew, since the application may
 * register its SDK at any time; without one all of it comes to nothing.
 */
import type { Context, Link, MeterProvider, SpanKind, TracerProvider } from "@opentelemetry/api";
import type { TraceMode } from "../core/model/trace-mode.ts";
import { contain } from "./containment.ts";
import { type Instruments, InstrumentSource } from "./instruments.ts";
import { OperationSpan } from "./operation-span.ts";
import {
  type Operation,
  queueOperations,
  type QueueOperations,
  type ServerAddress,
  withErrorType,
} from "./operations.ts";
import { Tracers } from "./tracers.ts";

export interface TelemetryOptions {
  readonly name: string;
  readonly trace: TraceMode;
  readonly createSpans: boolean;
  readonly settleSpans: boolean;
  readonly tracerProvider: TracerProvider | undefined;
  readonly meterProvider: MeterProvider | undefined;
}

export class Emitter {
  readonly options: TelemetryOptions;
  readonly operations: QueueOperations;
  readonly #tracers: Tracers;
  readonly #instruments: InstrumentSource;

  constructor(options: TelemetryOptions, server: ServerAddress) {
    this.options = options;
    this.operations = queueOperations(options.name, server);
    this.#tracers = new Tracers(options.tracerProvider);
    this.#instruments = new InstrumentSource(options.meterProvider);
  }

  /** Whether anybody listens at all. */
  get isHeard(): boolean {
    return this.isTracing || this.#instruments.current !== undefined;
  }

  /** Whether spans are wanted. */
  get isTracing(): boolean {
    return this.#tracers.current !== undefined;
  }

  startSpan(
    operation: Operation,
    kind: SpanKind,
    parent: Context,
    links?: Link[],
  ): OperationSpan | undefined {
    return OperationSpan.start(this.#tracers.current, operation, kind, parent, links);
  }

  measure(record: (instruments: Instruments) => void): void {
    const instruments = this.#instruments.current;
    if (instruments) {
      contain("an instrument", () => record(instruments));
    }
  }

  /** @param errorType of a failure */
  measureDuration({ attributes }: Operation, durationMs: number, errorType?: string): void {
    this.measure(({ operationDuration }) =>
      operationDuration.record(durationMs / 1_000, withErrorType(attributes, errorType)),
    );
  }
}
