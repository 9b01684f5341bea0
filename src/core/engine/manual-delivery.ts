/** A job claimed by hand, with the calls that settle it. */
import { checkBoolean, checkDuration, checkOptionNames } from "../model/checks.ts";
import { describeError, InvalidOptionError } from "../model/errors.ts";
import { MAX_ERROR_LENGTH } from "../model/limits.ts";
import { ACK, type Outcome } from "../model/outcome.ts";
import type { SettleResult } from "../store/messages.ts";
import { DeliveredJob, type DeliveryFields } from "./delivery.ts";
import type { Settler } from "./settler.ts";

/** How a job is given back. */
export interface NackOptions {
  /** Milliseconds until the job is due again. Default 0. */
  readonly delayMs?: number;
  /** What went wrong; the first 1,024 characters are stored. */
  readonly error?: unknown;
  /** Whether the attempt counts. Default true; false is a release. */
  readonly countsAttempt?: boolean;
}

/**
 * A claimed job in your own hands. Settle it with one of `ack`, `nack` or `bury` before its visibility
 * timeout ends, or `extend` that. Each answers "done", "stale" (another token is in force: someone
 * else has the job) or "gone" (there is no such job: it was settled before), and rejects only if Redis
 * gives no answer while the lease holds.
 */
export class Delivery<T> extends DeliveredJob<T> {
  readonly #settle: (outcome: Outcome) => Promise<SettleResult>;

  constructor(fields: DeliveryFields, settler: Settler) {
    super(fields);
    this.#settle = (outcome) => settler.resolve(fields.lease, outcome);
  }

  /** The job is done: removes it. */
  ack(): Promise<SettleResult> {
    return this.#settle(ACK);
  }

  /**
   * Gives the job back, to run again after a delay.
   *
   * @throws InvalidOptionError if an option has a value that is not allowed
   */
  async nack(options: NackOptions = {}): Promise<SettleResult> {
    checkOptionNames("options", options, ["delayMs", "error", "countsAttempt"]);
    return this.#settle({
      kind: "retry",
      delayMs: checkDuration("delayMs", options.delayMs ?? 0),
      counts: checkBoolean("countsAttempt", options.countsAttempt ?? true),
      error: options.error === undefined ? "" : describeError(options.error, MAX_ERROR_LENGTH),
    });
  }

  /**
   * Moves the job to the dead letters.
   *
   * @param reason stored with the dead letter, cut to 1,024 characters
   * @throws InvalidOptionError if the reason is no text, or empty
   */
  async bury(reason: string): Promise<SettleResult> {
    if (typeof reason !== "string" || reason === "") {
      throw new InvalidOptionError("reason", reason, "a text that is not empty");
    }
    const cut = reason.toWellFormed().slice(0, MAX_ERROR_LENGTH);
    return this.#settle({ kind: "bury", counts: true, reason: cut });
  }
}
