/** Chance that falls the same way in every run. */
import { createHash } from "node:crypto";

const SEED = "holdfast";

/** Between 0 and 1, evenly; the same for the same words. */
export function seededFraction(...words: readonly (string | number)[]): number {
  const digest = createHash("sha256")
    .update([SEED, ...words].join(":"))
    .digest();
  return digest.readUInt32BE(0) / 2 ** 32;
}
