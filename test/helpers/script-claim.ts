/** Calls `claim` with defaults and reads its reply. */
import { claim } from "../../src/scripts/generated.ts";
import type { ScriptArguments } from "../../src/core/store/script-runner.ts";
import type { TestQueue } from "./script-harness.ts";

type ClaimArguments = ScriptArguments<typeof claim>;

interface Claimed {
  readonly token: number;
  readonly now: number;
  readonly lookIn: number;
  readonly leaseEndsIn: number;
  readonly jobs: readonly { id: string; envelope: string; due: number; attempts: number }[];
  readonly ids: readonly string[];
}

/** Worker w1's first request, for ten jobs; it does not come back, and polls every minute. */
export function claimArguments(queue: TestQueue, change: Partial<ClaimArguments>): ClaimArguments {
  return {
    workerId: "w1",
    request: 1,
    maxJobs: 10,
    maxBytes: 1_000_000,
    visibilityTimeoutMs: 30_000,
    pollIntervalMs: 60_000,
    comesBack: 0,
    wakeChannel: queue.wakeChannel,
    ...change,
  };
}

export async function claimJobs(
  queue: TestQueue,
  change: Partial<ClaimArguments> = {},
): Promise<Claimed> {
  return readClaim(await queue.run(claim, claimArguments(queue, change)));
}

export function readClaim(reply: unknown): Claimed {
  const [token, now, lookIn, leaseEndsIn, ...rest] = reply as [number, number, number, number];
  const values = rest as unknown[];
  const jobs = [];
  for (let at = 0; at < values.length; at += 4) {
    const [id, envelope, due, attempts] = values.slice(at, at + 4);
    jobs.push({ id, envelope, due, attempts } as Claimed["jobs"][number]);
  }
  return { token, now, lookIn, leaseEndsIn, jobs, ids: jobs.map(({ id }) => id) };
}
