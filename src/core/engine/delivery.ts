/** From a claimed envelope to the job that a handler sees, or to the reason why none may see it. */
import type { StandardSchemaV1 } from "@standard-schema/spec";
import { type Codec, decodePayload, validatePayload } from "../model/codec.ts";
import { decodeEnvelope, type Envelope, type Headers } from "../model/envelope.ts";
import { describeError, PayloadError } from "../model/errors.ts";
import type { Job } from "../model/job.ts";
import { MAX_ERROR_LENGTH } from "../model/limits.ts";
import type { Outcome } from "../model/outcome.ts";
import type { ClaimedJob } from "../store/messages.ts";
import type { Lease } from "./lease.ts";

export interface PayloadRules {
  readonly codec: Codec;
  readonly schema: StandardSchemaV1 | undefined;
}

export interface DeliveryFields {
  readonly claimed: ClaimedJob;
  readonly lease: Lease;
  readonly envelope: Required<Envelope>;
  readonly data: unknown;
  /** The limit for jobs that have none of their own. */
  readonly maxAttempts: number;
  readonly extend: () => Promise<void>;
}

export class DeliveredJob<T> implements Job<T> {
  readonly id: string;
  readonly data: T;
  readonly attempt: number;
  readonly maxAttempts: number;
  readonly fencingToken: number;
  readonly headers: Headers;
  readonly #enqueuedAtMs: number;
  readonly #dueAtMs: number;
  readonly #extend: () => Promise<void>;

  constructor({ claimed, lease, envelope, data, maxAttempts, extend }: DeliveryFields) {
    this.id = claimed.id;
    this.data = data as T;
    this.attempt = claimed.failedAttempts + 1;
    this.maxAttempts = envelope.maxAttempts ?? maxAttempts;
    this.fencingToken = lease.token;
    this.headers = envelope.headers ?? {};
    this.#enqueuedAtMs = envelope.enqueuedAtMs;
    this.#dueAtMs = claimed.dueAtMs;
    this.#extend = extend;
  }

  get enqueuedAt(): Date {
    return new Date(this.#enqueuedAtMs);
  }

  get dueAt(): Date {
    return new Date(this.#dueAtMs);
  }

  extend(): Promise<void> {
    return this.#extend();
  }
}

export type OpenedDelivery =
  | Pick<DeliveryFields, "envelope" | "data">
  | Extract<Outcome, { kind: "bury" }>;

/**
 * What the envelope holds, or the burial of a job that must not run. A promise only where a schema
 * is asked: a delivery costs little, and each promise is a part of that.
 */
export function openDelivery(
  claimed: ClaimedJob,
  rules: PayloadRules,
  maxAttempts: number,
): OpenedDelivery | Promise<OpenedDelivery> {
  try {
    const envelope = decodeEnvelope(claimed.envelope);
    if (claimed.failedAttempts >= (envelope.maxAttempts ?? maxAttempts)) {
      // Workers died with it, or nacked it, as often as it may fail. Its last error stands.
      return { kind: "bury", counts: false, reason: "" };
    }
    const data = decodePayload(rules.codec, envelope.payload);
    return rules.schema
      ? validatePayload(rules.schema, data).then((output) => ({ envelope, data: output }), burial)
      : { envelope, data };
  } catch (error) {
    return burial(error);
  }
}

function burial(error: unknown): OpenedDelivery {
  const problem =
    error instanceof PayloadError
      ? error
      : new PayloadError(`the schema failed: ${describeError(error, 200)}`);
  return { kind: "bury", counts: false, reason: describeError(problem, MAX_ERROR_LENGTH) };
}
