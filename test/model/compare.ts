/**
 * Compares what Redis did with what the reference does. Redis's clock is known to the microsecond
 * before and after a call, and scripts use whole milliseconds, so most often one moment is left.
 * Where there are more, one of them must explain the reply and every key exactly. There is no tolerance.
 */
import { AssertionError, deepStrictEqual } from "node:assert/strict";
import { isDeepStrictEqual } from "node:util";
import { breachesOf } from "../helpers/script-state.ts";
import type { Call } from "./calls.ts";
import type { Seen } from "./real-queue.ts";
import { answer } from "./reference-calls.ts";
import type { ReferenceQueue } from "./reference-queue.ts";
import { partsOf, type Parts } from "./reference-views.ts";

/** The reference after the call, if it explains what was seen. */
export function explain(before: ReferenceQueue, call: Call, seen: Seen): ReferenceQueue {
  deepStrictEqual(breachesOf(seen.snapshot), [], "the invariant of the queue's keys");
  const { reply, fromUs, toUs } = seen;
  const token = call.script === "claim" && Array.isArray(reply) ? Number(reply[0]) : Number.NaN;
  const forgotten = [...before.claims.keys()].find((workerId) => !seen.claims.has(workerId));
  let failure: AssertionError | undefined;
  for (let now = Math.floor(fromUs / 1_000); now <= Math.floor(toUs / 1_000); now += 1) {
    const queue = before.copy();
    const expectedReply = answer(queue, call, { now, fromUs, toUs, token, forgotten });
    const expected = { reply: expectedReply, ...partsOf(queue, now) };
    const actual = { reply, ...partsSeen(seen, now) };
    if (isDeepStrictEqual(actual, expected)) return queue;
    failure ??= new AssertionError({ actual, expected, operator: "deepStrictEqual" });
  }
  throw failure ?? new Error("Redis's clock went back");
}

function partsSeen({ snapshot, claims }: Seen, now: number): Parts {
  const { delayed, processing, dead, jobs, attempts, errors, waiting, meta } = snapshot;
  const live = numbers(waiting.entries).filter(([, look]) => look >= now - 100);
  return {
    delayed: new Map(numbers(delayed.entries)),
    processing: new Map(numbers(processing.entries)),
    dead: new Map(numbers(dead.entries)),
    jobs: jobs.entries,
    attempts: new Map(numbers(attempts.entries)),
    errors: errors.entries,
    claims,
    waiting: new Map(live),
    meta: new Map([...UNSET, ...numbers(meta.entries)]),
  };
}

function numbers(entries: ReadonlyMap<string, string>): [string, number][] {
  return [...entries].map(([name, value]) => [name, Number(value)]);
}

/** Fields of `meta` that are not there yet count as 0. */
const UNSET: [string, number][] = [
  "version",
  "shards",
  "token",
  "paused",
  "enqueued",
  "completed",
  "retried",
  "expired",
  "buried",
  "redriven",
  "cancelled",
  "purged",
].map((field) => [field, 0]);
