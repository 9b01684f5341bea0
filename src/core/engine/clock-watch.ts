/**
 * Notices when Redis's clock jumps. Each look tells what that clock said at some time between the
 * question and the answer, so how far it is ahead of this process's monotonic clock is known to within
 * the round trip, however late either process was. A jump is what two such ranges cannot both hold.
 */
import { ClockJumpError } from "../model/errors.ts";
import { CLOCK_JUMP_REPORTED_MS, CLOCK_SLEW_ALLOWED } from "../model/limits.ts";
import type { ClockReading } from "../store/messages.ts";

/** One watch for each Redis node that a worker looks at, since each has a clock of its own. */
export class ClockWatch {
  #last: ClockReading | undefined;

  /** The jump since an earlier look, if it is worth a report. Each is told once. */
  note(now: ClockReading): ClockJumpError | undefined {
    const last = this.#last;
    if (!last) {
      this.#last = now;
      return undefined;
    }
    const forwardMs = Math.max(0, leastAheadMs(now) - mostAheadMs(last));
    const backMs = Math.max(0, leastAheadMs(last) - mostAheadMs(now));
    const jumpMs = Math.round(forwardMs - backMs);
    const slewedMs = (now.answeredAt - last.askedAt) * CLOCK_SLEW_ALLOWED;
    const isJump = Math.abs(jumpMs) > Math.max(CLOCK_JUMP_REPORTED_MS, slewedMs);
    // A slow answer says little: a jump could hide in it, so the surer one before is kept for a while.
    if (isJump || roundTripMs(now) <= roundTripMs(last) + slewedMs) {
      this.#last = now;
    }
    return isJump ? new ClockJumpError(jumpMs) : undefined;
  }
}

function leastAheadMs({ nowMs, answeredAt }: ClockReading): number {
  return nowMs - answeredAt;
}

function mostAheadMs({ nowMs, askedAt }: ClockReading): number {
  return nowMs - askedAt;
}

function roundTripMs({ askedAt, answeredAt }: ClockReading): number {
  return answeredAt - askedAt;
}
