import { describe, expect, test } from "vitest";
import { fixed } from "../../src/core/model/backoff.ts";
import { guardBackoff, outcomeOfFailure } from "../../src/core/model/outcome.ts";
import { DeadLetter, RetryLater } from "../../src/core/model/signals.ts";

const backoff = fixed({ delayMs: 500 });

describe("the outcome of a handler that throws", () => {
  test("is a counted retry while attempts are left", () => {
    expect(outcomeOfFailure(new TypeError("boom"), 2, 3, backoff)).toEqual({
      kind: "retry",
      delayMs: 500,
      counts: true,
      error: "TypeError: boom",
    });
  });

  test("is a burial on the last attempt", () => {
    expect(outcomeOfFailure(new Error("boom"), 3, 3, backoff)).toEqual({
      kind: "bury",
      counts: true,
      reason: "Error: boom",
    });
  });

  test("follows a DeadLetter or RetryLater, whatever attempt it is", () => {
    expect(outcomeOfFailure(new DeadLetter("bad address"), 1, 3, backoff)).toMatchObject({
      kind: "bury",
      reason: "bad address",
    });
    expect(outcomeOfFailure(new RetryLater({ delayMs: 7 }), 3, 3, backoff)).toEqual({
      kind: "retry",
      delayMs: 7,
      counts: false,
      error: "",
    });
  });

  test("may be what throws when it is looked at", () => {
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    expect(outcomeOfFailure(proxy, 1, 3, backoff)).toEqual({
      kind: "retry",
      delayMs: 500,
      counts: true,
      error: "an error that cannot be described",
    });
  });

  test.each([["text"], [undefined], [null], [{ a: 1 }], [12n]])(
    "may be %s instead of an Error",
    (thrown) => {
      expect(outcomeOfFailure(thrown, 1, 3, backoff)).toMatchObject({
        kind: "retry",
        counts: true,
      });
    },
  );

  test("is kept short and well-formed", () => {
    const { error } = outcomeOfFailure(new Error("\ud800" + "x".repeat(5_000)), 1, 3, backoff) as {
      error: string;
    };
    expect(error).toHaveLength(1_024);
    expect(error.isWellFormed()).toBe(true);
  });
});

describe("a backoff of the user's own", () => {
  test.each([
    [() => 12.6, 13, 0],
    [() => -5, 0, 0],
    [() => Number.NaN, 60_000, 1],
    [() => Number.POSITIVE_INFINITY, 60_000, 1],
    [() => "soon" as never, 60_000, 1],
    [
      () => {
        throw new Error("broken");
      },
      60_000,
      1,
    ],
  ])("cannot lose a job", (own, expected, reports) => {
    const reported: unknown[] = [];
    expect(guardBackoff(own, (error) => reported.push(error))(1, undefined)).toBe(expected);
    expect(reported).toHaveLength(reports);
  });
});

test("RetryLater checks its delay", () => {
  expect(() => new RetryLater({ delayMs: -1 })).toThrow("delayMs is -1");
});
