import { describe, expect, test } from "vitest";
import { exponential, fixed } from "../../src/core/model/backoff.ts";
import { InvalidOptionError } from "../../src/core/model/errors.ts";

describe("exponential", () => {
  test("doubles its ceiling up to the maximum", () => {
    const backoff = exponential({ baseMs: 100, maxMs: 1_000, jitter: "none" });
    expect([1, 2, 3, 4, 5, 60, 2_000].map((attempt) => backoff(attempt, undefined))).toEqual([
      100, 200, 400, 800, 1_000, 1_000, 1_000,
    ]);
  });

  test.each([
    ["full", 0, 800],
    ["equal", 400, 800],
  ] as const)("%s jitter stays within its bounds and uses them", (jitter, min, max) => {
    const backoff = exponential({ baseMs: 100, maxMs: 10_000, jitter });
    const delays = Array.from({ length: 2_000 }, () => backoff(4, undefined));
    expect(Math.min(...delays)).toBeGreaterThanOrEqual(min);
    expect(Math.max(...delays)).toBeLessThanOrEqual(max);
    expect(Math.max(...delays) - Math.min(...delays)).toBeGreaterThan((max - min) * 0.9);
    expect(delays.every(Number.isInteger)).toBe(true);
  });

  test.each([
    [{ baseMs: -1 }, "baseMs is -1"],
    [{ maxMs: Number.NaN }, "maxMs is NaN"],
    [{ jitter: "some" as never }, 'jitter is "some"'],
    [{ base: 5 } as never, "exponential.base is 5"],
  ])("refuses %j", (options, message) => {
    expect(() => exponential(options)).toThrow(InvalidOptionError);
    expect(() => exponential(options)).toThrow(message);
  });
});

test("fixed waits the same every time", () => {
  const backoff = fixed({ delayMs: 250 });
  expect([1, 2, 9].map((attempt) => backoff(attempt, undefined))).toEqual([250, 250, 250]);
  expect(() => fixed({ delayMs: 1.5 })).toThrow("delayMs is 1.5, but must be whole milliseconds");
});
