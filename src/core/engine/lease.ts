/** This process's view of one claim: its token, until when it surely holds, and its handler's signal. */
import type { DeliveryTelemetry } from "../../telemetry/delivery-telemetry.ts";
import { LeaseLostError } from "../model/errors.ts";

export class Lease {
  readonly id: string;
  readonly token: number;
  /**
   * On the monotonic clock, counted from before the call that took or extended the lease: it ends
   * here no later than in Redis.
   */
  deadline: number;
  /** When the claim or the last extension was sent. */
  renewedAt: number;
  /** Whether an extension is on the wire. */
  isBeingExtended = false;
  lost: LeaseLostError | undefined;
  /** Whether Redis has confirmed its outcome. */
  isSettled = false;
  /** Told what happens to it, where anybody listens. */
  telemetry: DeliveryTelemetry | undefined;
  #controller: AbortController | undefined;
  #abortReason: Error | undefined;

  constructor(id: string, token: number, renewedAt: number, visibilityTimeoutMs: number) {
    this.id = id;
    this.token = token;
    this.renewedAt = renewedAt;
    this.deadline = renewedAt + visibilityTimeoutMs;
  }

  renew(sentAt: number, visibilityTimeoutMs: number): void {
    this.renewedAt = sentAt;
    this.deadline = sentAt + visibilityTimeoutMs;
    this.telemetry?.leaseExtended();
  }

  /** Nothing may be settled for a lost lease; its handler is told to stop. */
  lose(error: LeaseLostError): void {
    this.lost ??= error;
    this.telemetry?.leaseLost("extend");
    this.abort(error);
  }

  abort(reason: Error): void {
    this.#abortReason ??= reason;
    this.#controller?.abort(this.#abortReason);
  }

  /** Made on first use: most handlers never look at it, and it costs as much as the rest of a delivery. */
  get signal(): AbortSignal {
    if (!this.#controller) {
      this.#controller = new AbortController();
      if (this.#abortReason) {
        this.#controller.abort(this.#abortReason);
      }
    }
    return this.#controller.signal;
  }
}

export function leaseLost(id: string, reason: string): LeaseLostError {
  return new LeaseLostError(`the lease of job ${JSON.stringify(id)} is lost: ${reason}`);
}
