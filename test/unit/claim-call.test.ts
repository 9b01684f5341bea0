/** What the reply of the claim script is read as, and what is refused. */
import { describe, expect, test } from "vitest";
import { claimReply } from "../../src/core/store/claim-call.ts";

function read(reply: unknown) {
  return claimReply({ reply, askedAt: 1, answeredAt: 2 }, 5_000);
}

const jobs = ["a", "of a", 700, "b", "of b", 800, "c", "of c", 900];

describe("a claim's reply", () => {
  test("without jobs", () => {
    expect(read([7, 1_000, 60_000, -1, 0])).toEqual({
      token: 7,
      clock: { nowMs: 1_000, askedAt: 1, answeredAt: 2 },
      lookInMs: 5_000,
      leaseEndsInMs: undefined,
      jobs: [],
    });
  });

  test("with jobs, of which some were delivered before", () => {
    const reply = [7, 1_000, -1, 300, 3, ...jobs, 1, 0, "released", 3, 2, "lease_expired"];
    const { lookInMs, leaseEndsInMs, jobs: claimed } = read(reply);
    expect([lookInMs, leaseEndsInMs]).toEqual([undefined, 300]);
    const of = (id: string, dueAtMs: number, failedAttempts: number, deliveryReason: string) => {
      const envelope = `of ${id}`;
      return { id, envelope, dueAtMs, claimedAtMs: 1_000, failedAttempts, deliveryReason };
    };
    expect(claimed).toEqual([
      of("a", 700, 0, "released"),
      of("b", 800, 0, "first"),
      of("c", 900, 2, "lease_expired"),
    ]);
  });

  test("in bytes: the envelopes stay bytes", () => {
    const [id, envelope, reason] = ["a", "\u0000x", "redrive"].map((text) => Buffer.from(text));
    expect(read([7, 1_000, -1, 300, 1, id, envelope, 700, 1, 0, reason]).jobs).toMatchObject([
      { id: "a", envelope, deliveryReason: "redrive" },
    ]);
  });

  test.each([
    ["nothing", null],
    ["a refused request", [-1]],
    ["no number of jobs", [7, 1_000, -1, 300]],
    ["a number of jobs that is none", [7, 1_000, -1, 300, "many", ...jobs]],
    ["a negative number of jobs", [7, 1_000, -1, 300, -1, ...jobs]],
    ["fewer jobs than it says", [7, 1_000, -1, 300, 4, ...jobs]],
    ["half a history", [7, 1_000, -1, 300, 3, ...jobs, 1, 0]],
    ["the history of no job", [7, 1_000, -1, 300, 3, ...jobs, 4, 0, "retry"]],
    ["the history of no place", [7, 1_000, -1, 300, 3, ...jobs, 0, 0, "retry"]],
    ["a history without a count", [7, 1_000, -1, 300, 3, ...jobs, 1, "many", "retry"]],
    ["an unknown reason", [7, 1_000, -1, 300, 3, ...jobs, 1, 0, "first"]],
  ])("is refused: %s", (_, reply) => {
    expect(() => read(reply)).toThrow("unknown shape");
  });
});
