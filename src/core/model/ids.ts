/** Ids that sort by the time they were made, and the names of workers. */
import { randomBytes, randomInt } from "node:crypto";
import { wallClockNow } from "./clock.ts";

const COUNTER_SIZE = 36 ** 4;
const NONCE_SIZE = 36 ** 3;
const REDRAW_MS = 1_000;

let prefixTime = -1;
let prefix = "";
let counter = 0;
let nonce = randomInt(NONCE_SIZE);
let suffix = "";
let suffixDrawnAt = Number.NEGATIVE_INFINITY;

/**
 * A new job id of 24 characters from 0-9 and a-z: 9 of milliseconds since 1970, 4 of a counter, 11
 * random. Equal ids need the same millisecond, the same count and the same 56 random bits. The random
 * part is drawn anew each second, so that copies of a process snapshot do not share it for long.
 */
export function newJobId(): string {
  const now = wallClockNow();
  if (now !== prefixTime) {
    prefixTime = now;
    prefix = now.toString(36).padStart(9, "0");
    if (Math.abs(now - suffixDrawnAt) > REDRAW_MS) {
      suffixDrawnAt = now;
      suffix = randomText(11);
    }
  }
  counter = (counter + 1) % COUNTER_SIZE;
  return prefix + counter.toString(36).padStart(4, "0") + suffix;
}

/** Three characters that differ from call to call, and most likely from process to process. */
export function newNonce(): string {
  nonce = (nonce + 1) % NONCE_SIZE;
  return nonce.toString(36).padStart(3, "0");
}

/** A new name for a worker or a manual consumer: 16 random characters from 0-9 and a-z. */
export function newWorkerId(): string {
  return randomText(16);
}

function randomText(length: number): string {
  const digits = BigInt(`0x${randomBytes(16).toString("hex")}`).toString(36);
  return digits.slice(-length).padStart(length, "0");
}
