/** Growing, jittered pauses between tries of a call that fails. */
import { RETRY_PAUSE_MAX_MS, RETRY_PAUSE_MIN_MS } from "../model/limits.ts";

export function retryPauseMs(failures: number): number {
  const ceilingMs = Math.min(RETRY_PAUSE_MAX_MS, RETRY_PAUSE_MIN_MS * 2 ** (failures - 1));
  return ceilingMs * (0.5 + Math.random() / 2);
}
