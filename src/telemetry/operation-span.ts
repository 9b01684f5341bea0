/** A span of one operation. None of its calls can throw, whatever tracer or span do. */
import {
  type Attributes,
  type Context,
  type Link,
  ROOT_CONTEXT,
  type Span,
  type SpanContext,
  type SpanKind,
  SpanStatusCode,
  trace,
  type Tracer,
} from "@opentelemetry/api";
import { describeError } from "../core/model/errors.ts";
import { MAX_ERROR_LENGTH } from "../core/model/limits.ts";
import { contain, reportFailure } from "./containment.ts";
import { ATTRIBUTES } from "./names.ts";
import type { Operation } from "./operations.ts";

const A_SPAN = "a span";

export class OperationSpan {
  /** Attributes are for spans that record, and built only for those. */
  readonly isRecording: boolean;
  readonly #span: Span;

  /** Undefined where nobody listens, or the tracer fails. */
  static start(
    tracer: Tracer | undefined,
    { spanName, attributes }: Operation,
    kind: SpanKind,
    parent: Context,
    links: Link[] = [],
  ): OperationSpan | undefined {
    try {
      const span = tracer?.startSpan(spanName, { kind, attributes, links }, parent);
      return span && new OperationSpan(span);
    } catch (error) {
      reportFailure("the tracer", error);
      return undefined;
    }
  }

  private constructor(span: Span) {
    this.#span = span;
    this.isRecording = span.isRecording();
  }

  /** The context of what happens within. */
  within(parent: Context): Context {
    return contain(A_SPAN, () => trace.setSpan(parent, this.#span)) ?? ROOT_CONTEXT;
  }

  /** What others link to. */
  get spanContext(): SpanContext | undefined {
    return contain(A_SPAN, () => this.#span.spanContext());
  }

  set(attributes: Attributes): void {
    contain(A_SPAN, () => this.#span.setAttributes(attributes));
  }

  addLinks(links: Link[]): void {
    contain(A_SPAN, () => this.#span.addLinks(links));
  }

  event(name: string): void {
    contain(A_SPAN, () => this.#span.addEvent(name));
  }

  /** The operation failed. */
  fail(errorType: string, message?: string): void {
    if (!this.isRecording) return;
    this.set({ [ATTRIBUTES.errorType]: errorType });
    const status = { code: SpanStatusCode.ERROR, ...(message !== undefined && { message }) };
    contain(A_SPAN, () => this.#span.setStatus(status));
  }

  /** The same, with what was thrown. */
  failWith(errorType: string, error: unknown): void {
    this.fail(errorType, messageOf(error));
  }

  /** Notes what nobody caught, as an event. */
  recordException(error: unknown): void {
    if (!this.isRecording) return;
    contain(A_SPAN, () =>
      this.#span.recordException(error instanceof Error ? error : messageOf(error)),
    );
  }

  end(): void {
    contain(A_SPAN, () => this.#span.end());
  }
}

function messageOf(error: unknown): string {
  const message = contain("an error's message", () =>
    error instanceof Error && typeof error.message === "string" ? error.message : undefined,
  );
  return (message ?? describeError(error, MAX_ERROR_LENGTH)).slice(0, MAX_ERROR_LENGTH);
}
