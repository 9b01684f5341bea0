/** What the traces tell of each job: its creation, and its attempts. */
import type { ReceivedSpan } from "./otlp.ts";

export interface JobStory {
  readonly id: string;
  /** The span of its enqueue, to which all attempts are linked. */
  readonly creation: ReceivedSpan;
  readonly attempts: readonly Attempt[];
}

export interface Attempt {
  readonly number: number;
  /** Undefined where none arrived, though a later attempt tells that there was this one. */
  readonly span: ReceivedSpan | undefined;
  /** What Redis was told of it. */
  readonly settlement: ReceivedSpan | undefined;
}

const SETTLEMENT = "settle";

export function storiesOf(spans: readonly ReceivedSpan[]): JobStory[] {
  return spans
    .filter((span) => span.attributes["messaging.operation.name"] === "enqueue")
    .map((creation) => {
      const id = String(creation.attributes["messaging.message.id"]);
      const processed = spans.filter(
        ({ attributes }) =>
          attributes["messaging.operation.name"] === "process" &&
          attributes["messaging.message.id"] === id,
      );
      const attempts = Array.from({ length: Math.max(0, ...processed.map(numberOf)) }, (_, index) =>
        attemptOf(index + 1, processed, spans),
      );
      return { id, creation, attempts };
    })
    .toSorted((a, b) => a.id.localeCompare(b.id));
}

export function isLinkedTo(span: ReceivedSpan, { traceId, spanId }: ReceivedSpan): boolean {
  return span.links.some((link) => link.traceId === traceId && link.spanId === spanId);
}

function attemptOf(
  number: number,
  processed: readonly ReceivedSpan[],
  spans: readonly ReceivedSpan[],
): Attempt {
  const span = processed.find((candidate) => numberOf(candidate) === number);
  const settlement = spans.find(
    ({ parentId, attributes }) =>
      span?.spanId === parentId && attributes["messaging.operation.type"] === SETTLEMENT,
  );
  return { number, span, settlement };
}

function numberOf({ attributes }: ReceivedSpan): number {
  return Number(attributes["holdfast.job.attempt"]);
}
