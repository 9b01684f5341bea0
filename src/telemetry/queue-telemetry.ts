/** What a queue and its workers tell. Without anybody who listens, each call here comes to nothing. */
import { monotonicNow, wallClockNow } from "../core/model/clock.ts";
import { type DeliveryReason, REDELIVERY_REASONS } from "../core/model/delivery-reason.ts";
import type { Headers } from "../core/model/envelope.ts";
import type { TraceMode } from "../core/model/trace-mode.ts";
import { ClaimTelemetry } from "./claim-telemetry.ts";
import { activeContext } from "./contexts.ts";
import { type ClaimedFacts, DeliveryTelemetry } from "./delivery-telemetry.ts";
import { Emitter, type TelemetryOptions } from "./emitter.ts";
import { errorType } from "./error-type.ts";
import { EnqueueTelemetry } from "./enqueue-telemetry.ts";
import { ATTRIBUTES } from "./names.ts";
import type { ServerAddress } from "./operations.ts";
import { hasOwnContext, injectContext } from "./propagation.ts";
import { type QueueCounts, QueueGauges } from "./queue-gauges.ts";

/** A claim that was answered. */
export interface AnsweredClaim {
  readonly jobs: readonly { readonly deliveryReason: DeliveryReason }[];
  readonly clock: {
    readonly nowMs: number;
    readonly askedAt: number;
    readonly answeredAt: number;
  };
}

/** A job that is about to be stored. */
export interface NewJobFacts {
  readonly id: string;
  readonly headers: Headers | undefined;
  readonly trace: TraceMode;
}

export class QueueTelemetry {
  readonly #emitter: Emitter;
  readonly #gauges: QueueGauges[] = [];

  constructor(options: TelemetryOptions, server: ServerAddress) {
    this.#emitter = new Emitter(options, server);
  }

  /** @param options as the caller gave them, unchecked; undefined where nobody listens */
  startEnqueue(options: { readonly trace?: TraceMode }): EnqueueTelemetry | undefined {
    return this.#emitter.isHeard
      ? new EnqueueTelemetry(this.#emitter, this.#isTraced(options))
      : undefined;
  }

  /** @param items as the caller gave them, unchecked */
  startEnqueueMany(items: readonly { readonly trace?: TraceMode }[]): EnqueueTelemetry | undefined {
    if (!this.#emitter.isHeard || items.length === 0) return undefined;
    const isTraced = items.some((item) => this.#isTraced(item));
    return new EnqueueTelemetry(this.#emitter, isTraced, items.length);
  }

  /** What to store with a new job, so that whoever runs it can link to its creation. */
  contextToStore(
    { id, headers, trace }: NewJobFacts,
    call: EnqueueTelemetry | undefined,
  ): Headers | undefined {
    if (trace === "none" || hasOwnContext(headers)) return undefined;
    return call ? call.create(id) : injectContext(activeContext());
  }

  /** A claim by hand. */
  startClaim(): ClaimTelemetry | undefined {
    return this.#emitter.isTracing ? new ClaimTelemetry(this.#emitter) : undefined;
  }

  /** Undefined where nobody listens. @param isManual whether the job was claimed by hand */
  startDelivery(claimed: ClaimedFacts, isManual = false): DeliveryTelemetry | undefined {
    return this.#emitter.isHeard
      ? new DeliveryTelemetry(this.#emitter, claimed, isManual)
      : undefined;
  }

  /** Counts what a claim brought. One that found nothing tells only how the clocks differ. */
  noteClaim({ jobs, clock }: AnsweredClaim): void {
    const { operations } = this.#emitter;
    const { nowMs, askedAt, answeredAt } = clock;
    this.#emitter.measure(({ consumed, redeliveries, clockOffset }) => {
      const midpointAge = monotonicNow() - (askedAt + answeredAt) / 2;
      const offsetMs = nowMs - (wallClockNow() - midpointAge);
      clockOffset.record(offsetMs / 1_000, operations.queueAttributes);
      if (jobs.length === 0) return;
      consumed.add(jobs.length, operations.claim.counterAttributes);
      for (const reason of REDELIVERY_REASONS) {
        const again = jobs.filter(({ deliveryReason }) => deliveryReason === reason).length;
        if (again === 0) continue;
        const attributes = { ...operations.queueAttributes, [ATTRIBUTES.deliveryReason]: reason };
        redeliveries.add(again, attributes);
      }
    });
    if (jobs.length > 0) {
      this.#emitter.measureDuration(operations.claim, answeredAt - askedAt);
    }
  }

  noteFailedClaim(error: unknown, durationMs: number): void {
    this.#emitter.measureDuration(this.#emitter.operations.claim, durationMs, errorType(error));
  }

  /** Expired leases whose jobs this process has given back. */
  noteExpired(leases: number): void {
    if (leases === 0) return;
    const { queueAttributes } = this.#emitter.operations;
    const attributes = { ...queueAttributes, [ATTRIBUTES.leaseOutcome]: "requeued" };
    this.#emitter.measure(({ leaseExpirations }) => leaseExpirations.add(leases, attributes));
  }

  /** @param read the queue's counts, asked for with each collection of metrics */
  observe(read: () => Promise<QueueCounts>): QueueGauges {
    const { options, operations } = this.#emitter;
    const { meterProvider } = options;
    const gauges = new QueueGauges({ attributes: operations.queueAttributes, meterProvider, read });
    this.#gauges.push(gauges);
    return gauges;
  }

  /** The queue is closed: what observes it ends. */
  close(): void {
    for (const gauges of this.#gauges.splice(0)) gauges.stop();
  }

  #isTraced(options: { readonly trace?: TraceMode } | null): boolean {
    return (options?.trace ?? this.#emitter.options.trace) !== "none";
  }
}
