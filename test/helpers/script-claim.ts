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
  readonly jobs: readonly {
    readonly id: string;
    readonly envelope: string;
    readonly due: number;
    readonly attempts: number;
    readonly reason: string;
  }[];
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
  const [token, now, lookIn, leaseEndsIn, count, ...rest] = reply as [
    number,
    number,
    number,
    number,
    number,
    ...unknown[],
  ];
  const jobs: Claimed["jobs"][number][] = [];
  for (let at = 0; at < count * 3; at += 3) {
    const [id, envelope, due] = rest.slice(at, at + 3) as [string, string, number];
    jobs.push({ id, envelope, due, attempts: 0, reason: "first" });
  }
  for (let at = count * 3; at < rest.length; at += 3) {
    const [place, attempts, reason] = rest.slice(at, at + 3) as [number, number, string];
    jobs[place - 1] = { ...jobs[place - 1]!, attempts, reason };
  }
  return { token, now, lookIn, leaseEndsIn, jobs, ids: jobs.map(({ id }) => id) };
}
