/** One settlement of a job, until Redis has answered. */
import { type Attributes, type Context, type Link, SpanKind } from "@opentelemetry/api";
import { monotonicNow } from "../core/model/clock.ts";
import type { Outcome } from "../core/model/outcome.ts";
import type { Emitter } from "./emitter.ts";
import { errorType } from "./error-type.ts";
import { ATTRIBUTES, type SettleName } from "./names.ts";
import type { OperationSpan } from "./operation-span.ts";
import type { Operation } from "./operations.ts";

export interface SettledJob {
  readonly id: string;
  readonly outcome: Outcome;
  /** Attempts that will have been made with this outcome. */
  readonly attempts: number;
  /** Of a burial. */
  readonly deadLetterReason: string;
  /** Called where Redis refuses: another has the job, or nobody any more. */
  readonly onLost: (operation: SettleName) => void;
}

const LEASE_LOST = "lease_lost";

export class SettleTelemetry {
  readonly #emitter: Emitter;
  readonly #job: SettledJob;
  readonly #name: SettleName;
  readonly #operation: Operation;
  readonly #startedAt = monotonicNow();
  readonly #span: OperationSpan | undefined;

  /** @param parent undefined for no span */
  constructor(emitter: Emitter, job: SettledJob, parent: Context | undefined, links: Link[] = []) {
    this.#emitter = emitter;
    this.#job = job;
    this.#name = settleName(job.outcome);
    this.#operation = emitter.operations[this.#name];
    if (parent && emitter.options.settleSpans) {
      this.#span = emitter.startSpan(this.#operation, SpanKind.CLIENT, parent, links);
    }
    if (this.#span?.isRecording) this.#span.set(attributesOf(job));
  }

  /** @param isDone false: refused */
  end(isDone: boolean): void {
    if (isDone) {
      this.#finish(undefined);
      this.#noteDone();
    } else {
      this.#span?.fail(LEASE_LOST);
      this.#finish(LEASE_LOST);
      this.#job.onLost(this.#name);
    }
  }

  /** Redis gave no answer while the lease held. */
  fail(error: unknown): void {
    const type = errorType(error);
    this.#span?.failWith(type, error);
    this.#finish(type);
  }

  #finish(failure: string | undefined): void {
    this.#span?.end();
    this.#emitter.measureDuration(this.#operation, monotonicNow() - this.#startedAt, failure);
  }

  /** What the end of a job's life counts. */
  #noteDone(): void {
    const { outcome, attempts: count, deadLetterReason } = this.#job;
    if (outcome.kind === "retry") return;
    const { queueAttributes } = this.#emitter.operations;
    const isDead = outcome.kind === "bury";
    this.#emitter.measure(({ attempts, deadLetters }) => {
      const end = isDead ? "dead" : "completed";
      attempts.record(count, { ...queueAttributes, [ATTRIBUTES.outcome]: end });
      if (isDead) {
        const reason = { ...queueAttributes, [ATTRIBUTES.deadLetterReason]: deadLetterReason };
        deadLetters.add(1, reason);
      }
    });
  }
}

function settleName(outcome: Outcome): SettleName {
  switch (outcome.kind) {
    case "ack":
      return "complete";
    case "retry":
      return outcome.counts ? "retry" : "release";
    case "bury":
      return "dead_letter";
  }
}

function attributesOf({ id, outcome }: SettledJob): Attributes {
  const attributes: Attributes = { [ATTRIBUTES.messageId]: id };
  if (outcome.kind === "retry" && outcome.delayMs > 0) {
    attributes[ATTRIBUTES.retryDelay] = outcome.delayMs / 1_000;
  }
  return attributes;
}
