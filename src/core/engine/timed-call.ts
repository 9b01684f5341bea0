/** A call that Redis answered, on the monotonic clock. */
export interface TimedCall {
  readonly sentAt: number;
  readonly answeredAt: number;
}

/**
 * Whether it ran later: both sent and answered later. One alone would not tell, for a call is sent twice
 * where the server lacks its script.
 */
export function ranLater(call: TimedCall, than: TimedCall): boolean {
  return call.sentAt > than.sentAt && call.answeredAt > than.answeredAt;
}
