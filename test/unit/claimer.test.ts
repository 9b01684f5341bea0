/** Claims on two shards of a queue that share one slot. */
import { expect, onTestFinished, test } from "vitest";
import { Claimer } from "../../src/core/engine/claimer.ts";
import { Slots } from "../../src/core/engine/slots.ts";
import { monotonicNow } from "../../src/core/model/clock.ts";
import { RedisUnavailableError } from "../../src/core/model/errors.ts";
import { resolveWorkerOptions } from "../../src/core/model/worker-options.ts";
import type { JobStore } from "../../src/core/store/job-store.ts";
import type { ClaimReply, ClaimRequest } from "../../src/core/store/messages.ts";
import { gate } from "../helpers/holdfast.ts";

/** Each answer of a shard, in turn; after the last one it is silent until the test's end. */
type Answer = string | Error;

function replyOf(parts: Partial<ClaimReply>): ClaimReply {
  const now = monotonicNow();
  const clock = { nowMs: 0, askedAt: now, answeredAt: now };
  return { token: 1, clock, lookInMs: undefined, leaseEndsInMs: undefined, jobs: [], ...parts };
}

function claimers(answers: readonly (readonly Answer[])[]) {
  const requests: (ClaimRequest & { shard: number })[] = [];
  const held: string[] = [];
  const silence = gate<ClaimReply>();
  const settled = gate();
  const slots = new Slots(() => 1 - held.length, 1);
  const reply = (id: string): ClaimReply => {
    const job = {
      id,
      envelope: "",
      dueAtMs: 0,
      claimedAtMs: 0,
      failedAttempts: 0,
      deliveryReason: "first" as const,
    };
    return replyOf({ jobs: [job] });
  };
  const parts = answers.map((list, shard) => {
    const left = [...list];
    const claim = async (request: ClaimRequest) => {
      requests.push({ ...request, shard });
      await Promise.resolve();
      const answer = left.shift();
      if (answer === undefined || answer instanceof Error) {
        if (answer) throw answer;
        return silence.promise;
      }
      return reply(answer);
    };
    return new Claimer({
      store: { claim } as unknown as JobStore,
      workerId: "w",
      worker: resolveWorkerOptions({ concurrency: 1 }),
      slots,
      accept: ({ id }) => {
        held.push(id);
        if (held.length === 2) settled.resolve();
      },
      onQuiet: () => undefined,
      onLook: () => undefined,
      onFailure: () => undefined,
    });
  });
  onTestFinished(async () => {
    silence.resolve(reply("late"));
    await Promise.all(parts.map((part) => part.stop()));
  });
  for (const part of parts) part.start();
  return { requests, held, settled: settled.promise };
}

test("a look that only repeats a claim without an answer tells nothing about what is due", async () => {
  const replies: (ClaimReply | Error)[] = [
    new RedisUnavailableError("no answer"),
    replyOf({ lookInMs: 0 }),
    replyOf({ lookInMs: 3_600_000 }),
  ];
  const requests: ClaimRequest[] = [];
  const quiet: boolean[] = [];
  const looked = gate();
  const claimer: Claimer = new Claimer({
    store: {
      claim: async (request: ClaimRequest) => {
        requests.push(request);
        const next = replies.shift()!;
        if (next instanceof Error) throw next;
        return next;
      },
    } as unknown as JobStore,
    workerId: "w",
    worker: resolveWorkerOptions({}),
    slots: new Slots(() => 1, 1),
    accept: () => undefined,
    onQuiet: () => {
      quiet.push(claimer.quietLook !== undefined);
      if (replies.length === 0) looked.resolve();
    },
    onLook: () => undefined,
    onFailure: () => undefined,
  });
  claimer.start();
  await looked.promise;
  await claimer.stop();
  expect(requests.map(({ maxJobs }) => maxJobs)).toEqual([1, 0, 1]);
  expect(quiet).toEqual([false, true]);
});

test("a claim without an answer is repeated though another shard took the slot, for its own jobs alone", async () => {
  const lost = new RedisUnavailableError("no answer");
  const { requests, held, settled } = claimers([[lost, "a"], ["b"]]);
  await settled;
  expect(held).toEqual(["b", "a"]);
  expect(requests).toMatchObject([
    { shard: 0, request: 1, maxJobs: 1 },
    { shard: 1, request: 1, maxJobs: 1 },
    { shard: 0, request: 1, maxJobs: 0, pollIntervalMs: 0, comesBack: false },
  ]);
});
