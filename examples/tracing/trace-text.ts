/** The traces of each job, as a person would read them. */
import type { ReceivedSpan } from "./otlp.ts";
import { type Attempt, isLinkedTo, type JobStory } from "./stories.ts";

const NAME_WIDTH = 34;
const SERVICE_WIDTH = 9;
const TIMES_WIDTH = 20;

export function traceText(stories: readonly JobStory[], spans: readonly ReceivedSpan[]): string {
  const originMs = Math.min(...spans.map(({ startMs }) => startMs));
  const text = new TraceText(spans, originMs);
  return stories.map((story) => text.story(story).join("\n")).join("\n\n");
}

class TraceText {
  readonly #spans: readonly ReceivedSpan[];
  readonly #originMs: number;

  constructor(spans: readonly ReceivedSpan[], originMs: number) {
    this.#spans = spans;
    this.#originMs = originMs;
  }

  story({ id, creation, attempts }: JobStory): string[] {
    return [
      id,
      ...this.#trace(creation.traceId, "creation"),
      ...attempts.flatMap((attempt) => this.#attempt(attempt, creation)),
    ];
  }

  #attempt({ number, span }: Attempt, creation: ReceivedSpan): string[] {
    if (!span) {
      return [
        `  attempt ${number}: no span. Its process ended before the attempt did, and a span is sent when it ends.`,
      ];
    }
    const link = isLinkedTo(span, creation)
      ? `linked to "${creation.name}" of trace ${short(creation.traceId)}`
      : "not linked";
    return span.traceId === creation.traceId
      ? [`  attempt ${number}: above, for it was enqueued with trace: "parent"; also ${link}`]
      : this.#trace(span.traceId, `attempt ${number}`, `, ${link}`);
  }

  #trace(traceId: string, title: string, remark = ""): string[] {
    const spans = this.#spans.filter((span) => span.traceId === traceId);
    const known = new Set(spans.map(({ spanId }) => spanId));
    const roots = spans.filter(({ parentId }) => parentId === undefined || !known.has(parentId));
    return [
      `  ${title}: trace ${short(traceId)}${remark}`,
      ...roots.flatMap((root) => this.#branch(root, spans, "    ", "    ")),
    ];
  }

  #branch(
    span: ReceivedSpan,
    spans: readonly ReceivedSpan[],
    lead: string,
    indent: string,
  ): string[] {
    const children = spans
      .filter(({ parentId }) => parentId === span.spanId)
      .toSorted((a, b) => a.startMs - b.startMs);
    return [
      this.#line(span, lead),
      ...children.flatMap((child, index) =>
        index < children.length - 1
          ? this.#branch(child, spans, `${indent}├─ `, `${indent}│  `)
          : this.#branch(child, spans, `${indent}└─ `, `${indent}   `),
      ),
    ];
  }

  #line(span: ReceivedSpan, lead: string): string {
    const start = `+${((span.startMs - this.#originMs) / 1_000).toFixed(2)} s`;
    const duration = `${(span.endMs - span.startMs).toFixed(1)} ms`;
    const columns = [
      `${lead}${span.name}`.padEnd(NAME_WIDTH),
      span.service.padEnd(SERVICE_WIDTH),
      `${start.padStart(8)} ${duration.padStart(10)}`.padEnd(TIMES_WIDTH),
      remarksOn(span).join(", "),
    ];
    return columns.join("  ").trimEnd();
  }
}

function remarksOn({ attributes, hasFailed, message }: ReceivedSpan): string[] {
  const remarks: string[] = [];
  const delay = attributes["holdfast.job.delay"];
  if (delay !== undefined) remarks.push(`due in ${delay} s`);
  const attempt = attributes["holdfast.job.attempt"];
  if (attempt !== undefined) {
    const lateMs = Math.round(Number(attributes["holdfast.job.schedule_lag"]) * 1_000);
    remarks.push(
      `attempt ${attempt} of ${attributes["holdfast.job.max_attempts"]} (${attributes["holdfast.job.delivery_reason"]})`,
      `${lateMs} ms late`,
      String(attributes["holdfast.job.outcome"]),
    );
  }
  const retryDelay = attributes["holdfast.job.retry_delay"];
  if (retryDelay !== undefined) remarks.push(`again in ${retryDelay} s`);
  if (hasFailed) {
    const type = attributes["error.type"];
    remarks.push(`ERROR ${type === undefined ? "" : `${type}: `}${message ?? ""}`);
  }
  return remarks;
}

function short(traceId: string): string {
  return traceId.slice(0, 8);
}
