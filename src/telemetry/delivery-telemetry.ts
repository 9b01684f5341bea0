/** One delivery of a job, from its claim to its settlement. */
import {
  type Attributes,
  type Context,
  type Link,
  ROOT_CONTEXT,
  SpanKind,
  type UpDownCounter,
} from "@opentelemetry/api";
import { monotonicNow } from "../core/model/clock.ts";
import type { DeliveryReason } from "../core/model/delivery-reason.ts";
import { decodeEnvelope, type Envelope } from "../core/model/envelope.ts";
import type { Outcome } from "../core/model/outcome.ts";
import { DeadLetter, isInstance } from "../core/model/signals.ts";
import { contain } from "./containment.ts";
import { activeContext, runIn } from "./contexts.ts";
import type { Emitter } from "./emitter.ts";
import { errorType } from "./error-type.ts";
import { ATTRIBUTES, EVENTS, type SettleName } from "./names.ts";
import type { OperationSpan } from "./operation-span.ts";
import { withErrorType } from "./operations.ts";
import { type CreationContext, extractContext } from "./propagation.ts";
import { SettleTelemetry } from "./settle-telemetry.ts";

/** What a claim tells of a job. */
export interface ClaimedFacts {
  readonly id: string;
  readonly envelope: string | Buffer;
  readonly dueAtMs: number;
  readonly claimedAtMs: number;
  readonly failedAttempts: number;
  readonly deliveryReason: DeliveryReason;
}

/** Who runs a job. */
export interface ProcessFacts {
  readonly envelope: Envelope;
  readonly workerId: string;
  readonly maxAttempts: number;
}

export class DeliveryTelemetry {
  readonly #emitter: Emitter;
  readonly #claimed: ClaimedFacts;
  readonly #isManual: boolean;
  /** Once its envelope was read. */
  #creation: CreationContext | undefined;
  #isOpened = false;
  #isTraced = true;
  #span: OperationSpan | undefined;
  #context: Context = ROOT_CONTEXT;
  #startedAt: number | undefined;
  #inflight: UpDownCounter | undefined;
  #isLost = false;
  #isFinished = false;
  #wasExtended = false;
  #failure: unknown;

  /** @param isManual whether the job was claimed by hand */
  constructor(emitter: Emitter, claimed: ClaimedFacts, isManual: boolean) {
    this.#emitter = emitter;
    this.#claimed = claimed;
    this.#isManual = isManual;
  }

  /** The job goes to the caller of a claim by hand. @returns what that claim links to */
  handOver(envelope: Envelope): Link | undefined {
    this.#open(envelope);
    this.#measureLag();
    return this.#link();
  }

  /** The handler is about to run. */
  start({ envelope, workerId, maxAttempts }: ProcessFacts): void {
    this.#open(envelope);
    this.#measureLag();
    this.#startedAt = monotonicNow();
    this.#emitter.measure(({ inflight }) => {
      inflight.add(1, this.#emitter.operations.queueAttributes);
      this.#inflight = inflight; // of the same provider later
    });
    if (!this.#isTraced || !this.#creation) return;
    const { base, context } = this.#creation;
    const link = this.#link();
    this.#span = this.#emitter.startSpan(
      this.#emitter.operations.process,
      SpanKind.CONSUMER,
      envelope.trace === "parent" ? context : base,
      link && [link],
    );
    this.#context = this.#span?.within(base) ?? base;
    if (this.#span?.isRecording) {
      this.#span.set(this.#processAttributes(workerId, maxAttempts));
    }
  }

  /** Runs the handler in the context of its span. */
  run<T>(handler: () => T): T {
    return runIn(this.#context, handler);
  }

  leaseExtended(): void {
    if (!this.#wasExtended && !this.#isFinished) {
      this.#wasExtended = true;
      this.#span?.event(EVENTS.leaseExtended);
    }
  }

  /** Counts once. @param operation what was refused */
  leaseLost(operation: SettleName | "extend"): void {
    if (this.#isLost) return;
    this.#isLost = true;
    if (!this.#isFinished) this.#span?.event(EVENTS.leaseLost);
    const { queueAttributes } = this.#emitter.operations;
    const attributes = { ...queueAttributes, [ATTRIBUTES.operationName]: operation };
    this.#emitter.measure(({ leasesLost }) => leasesLost.add(1, attributes));
  }

  /** The attempt is over. A lost lease and a release are no errors. */
  finish(outcome: Outcome, error: unknown): void {
    if (this.#startedAt === undefined) return;
    this.#isFinished = true;
    this.#failure = error;
    const durationMs = monotonicNow() - this.#startedAt;
    const isRelease = outcome.kind === "retry" && !outcome.counts;
    const hasFailed = outcome.kind !== "ack" && !isRelease && !this.#isLost;
    const failure = hasFailed ? errorType(error) : undefined;
    const { process: operation, queueAttributes } = this.#emitter.operations;
    contain("an instrument", () => this.#inflight?.add(-1, queueAttributes));
    this.#emitter.measure(({ processDuration }) =>
      processDuration.record(
        durationMs / 1_000,
        withErrorType(operation.counterAttributes, failure),
      ),
    );
    if (!this.#span) return;
    if (this.#span.isRecording) {
      this.#span.set({ [ATTRIBUTES.outcome]: this.#isLost ? "lease_lost" : outcomeName(outcome) });
      if (isRelease && !this.#isLost) this.#span.event(EVENTS.released);
    }
    if (failure !== undefined) {
      this.#span.recordException(error);
      this.#span.failWith(failure, error);
    }
    this.#span.end();
  }

  startSettle(outcome: Outcome): SettleTelemetry {
    const { id, failedAttempts } = this.#claimed;
    const counts = outcome.kind === "ack" || outcome.counts;
    const job = {
      id,
      outcome,
      attempts: failedAttempts + (counts ? 1 : 0),
      deadLetterReason: this.#deadLetterReason(outcome),
      onLost: (operation: SettleName) => this.leaseLost(operation),
    };
    if (!this.#isOpened && this.#emitter.isTracing) this.#openUnread();
    if (!this.#isTraced) return new SettleTelemetry(this.#emitter, job, undefined);
    if (this.#isManual) return new SettleTelemetry(this.#emitter, job, activeContext());
    // What was never run has no span to belong to, so it links to its creation by itself.
    const link = this.#span ? undefined : this.#link();
    return new SettleTelemetry(this.#emitter, job, this.#context, link && [link]);
  }

  #open(envelope: Envelope): void {
    this.#isOpened = true;
    this.#isTraced = envelope.trace !== "none";
    if (!this.#isTraced || !this.#emitter.isTracing) return;
    this.#creation = extractContext(envelope);
    if (this.#creation.isMalformed) {
      const { queueAttributes } = this.#emitter.operations;
      this.#emitter.measure(({ invalidContexts }) => invalidContexts.add(1, queueAttributes));
    }
  }

  /** Of a job that goes away unread: given back, out of attempts, or damaged. */
  #openUnread(): void {
    try {
      this.#open(decodeEnvelope(this.#claimed.envelope));
    } catch {
      // Damaged: that is why it goes away, and it tells no context.
    }
  }

  #link(): Link | undefined {
    const context = this.#creation?.span;
    return context && { context, attributes: { [ATTRIBUTES.messageId]: this.#claimed.id } };
  }

  get #lagMs(): number {
    return Math.max(0, this.#claimed.claimedAtMs - this.#claimed.dueAtMs);
  }

  #measureLag(): void {
    const { queueAttributes } = this.#emitter.operations;
    const { deliveryReason } = this.#claimed;
    this.#emitter.measure(({ scheduleLag }) =>
      scheduleLag.record(this.#lagMs / 1_000, {
        ...queueAttributes,
        [ATTRIBUTES.deliveryReason]: deliveryReason,
      }),
    );
  }

  #processAttributes(workerId: string, maxAttempts: number): Attributes {
    return {
      [ATTRIBUTES.messageId]: this.#claimed.id,
      [ATTRIBUTES.clientId]: workerId,
      [ATTRIBUTES.attempt]: this.#claimed.failedAttempts + 1,
      [ATTRIBUTES.maxAttempts]: maxAttempts,
      [ATTRIBUTES.scheduleLag]: this.#lagMs / 1_000,
      [ATTRIBUTES.deliveryReason]: this.#claimed.deliveryReason,
    };
  }

  #deadLetterReason(outcome: Outcome): string {
    if (outcome.kind === "bury" && !outcome.counts) {
      if (outcome.reason !== "") return "undecodable";
      // A claim found it out of attempts: so many failed, or the last ones took their workers down.
      return this.#claimed.deliveryReason === "lease_expired" ? "lease_expired" : "max_attempts";
    }
    return this.#isManual || isInstance(this.#failure, DeadLetter) ? "rejected" : "max_attempts";
  }
}

function outcomeName(outcome: Outcome): string {
  switch (outcome.kind) {
    case "ack":
      return "completed";
    case "retry":
      return outcome.counts ? "retried" : "released";
    case "bury":
      return "dead";
  }
}
