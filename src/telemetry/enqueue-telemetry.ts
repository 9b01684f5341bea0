/** One call of `enqueue` or `enqueueMany`, from its start to its answer. */
import { type Attributes, type Link, SpanKind } from "@opentelemetry/api";
import { monotonicNow, wallClockNow } from "../core/model/clock.ts";
import type { Headers } from "../core/model/envelope.ts";
import {
  DurabilityError,
  EnqueueUnconfirmedError,
  OverloadedError,
  QueueFullError,
} from "../core/model/errors.ts";
import { MAX_CREATE_SPANS } from "../core/model/limits.ts";
import { activeContext } from "./contexts.ts";
import type { Emitter } from "./emitter.ts";
import { errorType } from "./error-type.ts";
import { ATTRIBUTES } from "./names.ts";
import type { OperationSpan } from "./operation-span.ts";
import { withErrorType } from "./operations.ts";
import { injectContext } from "./propagation.ts";

/** A job that goes out. */
export interface SentJob {
  readonly id: string;
  /** As the scripts read it. */
  readonly due: string;
}

export class EnqueueTelemetry {
  readonly #emitter: Emitter;
  readonly #outside = activeContext();
  readonly #startedAt = monotonicNow();
  readonly #span: OperationSpan | undefined;
  readonly #isBatch: boolean;
  readonly #hasCreateSpans: boolean;
  readonly #links: Link[] = [];
  /** The context of this call, written once for all of its jobs. */
  #shared: { readonly headers: Headers | undefined } | undefined;
  #sent = 0;

  /** @param batchSize undefined for a single job; the span of a batch sends what others create */
  constructor(emitter: Emitter, isTraced: boolean, batchSize?: number) {
    this.#emitter = emitter;
    const { options, operations } = emitter;
    this.#isBatch = batchSize !== undefined;
    this.#hasCreateSpans =
      isTraced && batchSize !== undefined && batchSize <= MAX_CREATE_SPANS && options.createSpans;
    const kind = this.#hasCreateSpans ? SpanKind.CLIENT : SpanKind.PRODUCER;
    this.#span = isTraced ? emitter.startSpan(operations.enqueue, kind, this.#outside) : undefined;
    if (batchSize !== undefined && this.#span?.isRecording) {
      this.#span.set({ [ATTRIBUTES.messageCount]: batchSize });
    }
  }

  /** What a job is to carry: the context of a span of its own, or else of this call's. */
  create(id: string): Headers | undefined {
    if (this.#hasCreateSpans) return this.#inject(this.#createSpan(id));
    this.#shared ??= { headers: this.#inject(this.#span) };
    return this.#shared.headers;
  }

  /** The jobs go out. */
  noteSent(jobs: readonly SentJob[]): void {
    this.#sent = jobs.length;
    if (this.#links.length > 0) this.#span?.addLinks(this.#links);
    if (!this.#isBatch && this.#span?.isRecording) {
      for (const job of jobs) this.#span.set(attributesOf(job));
    }
  }

  /** @param isDuplicate whether a single job's id was taken already */
  end(isDuplicate = false): void {
    if (isDuplicate && this.#span?.isRecording) {
      this.#span.set({ [ATTRIBUTES.deduplicated]: true });
    }
    this.#finish(undefined, 0);
  }

  fail(error: unknown): void {
    const type = errorType(error);
    this.#span?.failWith(type, error);
    this.#finish(type, Math.min(this.#sent, countFailed(error) ?? this.#sent));
  }

  #inject(span: OperationSpan | undefined): Headers | undefined {
    return injectContext(span?.within(this.#outside) ?? this.#outside);
  }

  #createSpan(id: string): OperationSpan | undefined {
    const { operations } = this.#emitter;
    const span = this.#emitter.startSpan(operations.create, SpanKind.PRODUCER, this.#outside);
    if (!span) return undefined;
    const attributes = { [ATTRIBUTES.messageId]: id };
    span.set(attributes);
    span.end();
    const context = span.spanContext;
    if (context) this.#links.push({ context, attributes });
    return span;
  }

  #finish(failure: string | undefined, failed: number): void {
    this.#span?.end();
    const { enqueue } = this.#emitter.operations;
    this.#emitter.measureDuration(enqueue, monotonicNow() - this.#startedAt, failure);
    this.#emitter.measure(({ sent }) => {
      const { counterAttributes } = enqueue;
      if (this.#sent > failed) sent.add(this.#sent - failed, counterAttributes);
      if (failed > 0) sent.add(failed, withErrorType(counterAttributes, failure));
    });
  }
}

/** Of a batch, where the error names those that failed. */
function countFailed(error: unknown): number | undefined {
  const namesIds =
    error instanceof QueueFullError ||
    error instanceof OverloadedError ||
    error instanceof DurabilityError ||
    error instanceof EnqueueUnconfirmedError;
  return namesIds && error.ids.length > 0 ? error.ids.length : undefined;
}

function attributesOf({ id, due }: SentJob): Attributes {
  const attributes: Attributes = { [ATTRIBUTES.messageId]: id };
  const delayMs = due.startsWith("+") ? Number(due) : Number(due) - wallClockNow();
  if (delayMs > 0) attributes[ATTRIBUTES.delay] = delayMs / 1_000;
  return attributes;
}
