/** What the claim script is called with, and what it answers. */
import type { claim } from "../../scripts/generated.ts";
import { REDELIVERY_REASONS } from "../model/delivery-reason.ts";
import { REPLY_BYTES } from "../model/limits.ts";
import type { ClaimedJob, ClaimReply, ClaimRequest } from "./messages.ts";
import { flatReply, type Reply, text, unknownShape } from "./replies.ts";
import type { ScriptArguments } from "./script-runner.ts";

/** Token, Redis's clock, when to look again, when the first lease ends, and the number of jobs. */
const HEAD = 5;
/** Id, envelope, due time. */
const JOB = 3;
/** Of a job that was delivered before: its place among the jobs from 1, counted attempts, reason. */
const HISTORY = 3;

type Writable<T> = { -readonly [Key in keyof T]: T[Key] };

export function claimArguments(
  request: ClaimRequest,
  wakeChannel: string,
): ScriptArguments<typeof claim> {
  const comesBack = request.comesBack ? 1 : 0;
  return { ...request, maxBytes: REPLY_BYTES, comesBack, wakeChannel };
}

/** @param answer what Redis said, and between which readings of this process's monotonic clock */
export function claimReply(
  answer: { readonly reply: unknown; readonly askedAt: number; readonly answeredAt: number },
  pollIntervalMs: number,
): ClaimReply {
  const { askedAt, answeredAt } = answer;
  const reply = flatReply("claim", answer.reply, HEAD);
  const [token, nowMs, lookInMs, leaseEndsInMs, jobs] = reply.slice(0, HEAD).map(Number) as [
    number,
    number,
    number,
    number,
    number,
  ];
  if (![token, lookInMs, jobs].every(Number.isSafeInteger) || jobs < 0) {
    throw unknownShape("claim");
  }
  return {
    token,
    clock: { nowMs, askedAt, answeredAt },
    lookInMs: lookInMs < 0 ? undefined : Math.min(lookInMs, pollIntervalMs),
    leaseEndsInMs: leaseEndsInMs < 0 ? undefined : leaseEndsInMs,
    jobs: claimedJobs(reply, jobs, nowMs),
  };
}

function claimedJobs(reply: Reply[], jobs: number, claimedAtMs: number): ClaimedJob[] {
  const historyAt = HEAD + jobs * JOB;
  flatReply("claim", reply, historyAt, HISTORY);
  const claimed: Writable<ClaimedJob>[] = [];
  for (let at = HEAD; at < historyAt; at += JOB) {
    claimed.push({
      id: text(reply[at]),
      envelope: reply[at + 1] as string | Buffer,
      dueAtMs: Number(reply[at + 2]),
      claimedAtMs,
      failedAttempts: 0,
      deliveryReason: "first",
    });
  }
  for (let at = historyAt; at < reply.length; at += HISTORY) {
    const job = claimed[Number(reply[at]) - 1];
    const reason = REDELIVERY_REASONS.find((known) => known === text(reply[at + 2]));
    const failedAttempts = Number(reply[at + 1]);
    if (!job || !reason || !Number.isSafeInteger(failedAttempts)) throw unknownShape("claim");
    job.failedAttempts = failedAttempts;
    job.deliveryReason = reason;
  }
  return claimed;
}
