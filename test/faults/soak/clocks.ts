/** The checker compares times of processes with times of Redis: they must come from one clock. */
import type { Redis } from "ioredis";

const ALLOWED_MS = 2;

/** @throws Error if Redis does not run by this machine's clock */
export async function ensureClocksAgree(redis: Redis): Promise<void> {
  const before = Date.now();
  const [seconds, microseconds] = await redis.time();
  const after = Date.now();
  const redisMs = Number(seconds) * 1_000 + Number(microseconds) / 1_000;
  if (redisMs < before - ALLOWED_MS || redisMs > after + ALLOWED_MS) {
    throw new Error(
      `Redis's clock reads ${redisMs}, this machine's ${before} to ${after}: run the soak on the ` +
        "machine that Redis runs on",
    );
  }
}

/** A step of the clock moves due times and leases: a run with one proves nothing. */
export function watchClock(): { ensureItDidNotStep(): void } {
  const offset = () => Date.now() - performance.now();
  const before = offset();
  return {
    ensureItDidNotStep: () => {
      const stepMs = Math.round(offset() - before);
      if (Math.abs(stepMs) > ALLOWED_MS) {
        throw new Error(`this machine's clock was set by ${stepMs} ms: the run proves nothing`);
      }
    },
  };
}
