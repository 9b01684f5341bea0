/** What of OTLP's JSON this example reads. */
import { SpanKind } from "@opentelemetry/api";

export interface ReceivedSpan {
  /** Name of the process that sent it. */
  readonly service: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentId: string | undefined;
  readonly name: string;
  readonly kind: keyof typeof SpanKind;
  readonly startMs: number;
  readonly endMs: number;
  readonly attributes: Attributes;
  readonly links: readonly { readonly traceId: string; readonly spanId: string }[];
  readonly hasFailed: boolean;
  readonly message: string | undefined;
}

export type Attributes = Readonly<Record<string, string | number | boolean | undefined>>;

interface KeyValue {
  readonly key: string;
  readonly value: {
    readonly stringValue?: string;
    readonly intValue?: number | string;
    readonly doubleValue?: number;
    readonly boolValue?: boolean;
  };
}

interface OtlpSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  readonly kind: number;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly attributes?: readonly KeyValue[];
  readonly links?: readonly { readonly traceId: string; readonly spanId: string }[];
  readonly status?: { readonly code?: number; readonly message?: string };
}

/** The body of a call of `/v1/traces`. */
export interface ExportRequest {
  readonly resourceSpans?: readonly {
    readonly resource?: { readonly attributes?: readonly KeyValue[] };
    readonly scopeSpans?: readonly { readonly spans?: readonly OtlpSpan[] }[];
  }[];
}

const STATUS_ERROR = 2;

export function spansOf({ resourceSpans = [] }: ExportRequest): ReceivedSpan[] {
  return resourceSpans.flatMap(({ resource, scopeSpans = [] }) => {
    const service = String(attributesOf(resource?.attributes)["service.name"]);
    return scopeSpans
      .flatMap(({ spans = [] }) => spans)
      .map((span) => ({
        service,
        traceId: span.traceId,
        spanId: span.spanId,
        parentId: span.parentSpanId || undefined,
        name: span.name,
        // OTLP has a kind more, "unspecified", and begins with that.
        kind: SpanKind[span.kind - 1] as keyof typeof SpanKind,
        startMs: millisecondsOf(span.startTimeUnixNano),
        endMs: millisecondsOf(span.endTimeUnixNano),
        attributes: attributesOf(span.attributes),
        links: span.links ?? [],
        hasFailed: span.status?.code === STATUS_ERROR,
        message: span.status?.message,
      }));
  });
}

function attributesOf(list: readonly KeyValue[] = []): Attributes {
  return Object.fromEntries(
    list.map(({ key, value }) => [
      key,
      value.intValue === undefined
        ? (value.stringValue ?? value.doubleValue ?? value.boolValue)
        : Number(value.intValue),
    ]),
  );
}

function millisecondsOf(nanoseconds: string): number {
  return Number(BigInt(nanoseconds) / 1_000n) / 1_000;
}
