import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ClockWatch } from "../../src/core/engine/clock-watch.ts";
import { ClockJumpError } from "../../src/index.ts";

const EPOCH_MS = 1_790_000_000_000;
const HOUR_MS = 3_600_000;

/** A Redis whose clock the test sets, and a worker that looks at it. */
class World {
  monotonicMs = 1_000;
  aheadMs = EPOCH_MS;
  readonly #watch = new ClockWatch();

  /** Looks once, with the script running after `there`; then `pause` passes. Answers the jump in ms. */
  look({ thereMs = 0, backMs = 0, pauseMs = 1_000 } = {}): number | undefined {
    const askedAt = this.monotonicMs;
    this.monotonicMs += thereMs;
    const nowMs = Math.floor(this.monotonicMs + this.aheadMs);
    this.monotonicMs += backMs;
    const jump = this.#watch.note({ nowMs, askedAt, answeredAt: this.monotonicMs });
    this.monotonicMs += pauseMs;
    return jump?.jumpMs;
  }
}

describe("a jump of Redis's clock", () => {
  test.each([HOUR_MS, -HOUR_MS, 5_500, -5_500])("of %d ms is told once", (jumpMs) => {
    const world = new World();
    expect([world.look(), world.look()]).toEqual([undefined, undefined]);
    world.aheadMs += jumpMs;
    expect(world.look()).toBe(jumpMs);
    expect([world.look(), world.look()]).toEqual([undefined, undefined]);
    world.aheadMs -= jumpMs;
    expect(world.look()).toBe(-jumpMs);
  });

  test("of less than 5 s is not told", () => {
    const world = new World();
    world.look();
    for (const jumpMs of [4_900, -4_900, 4_900]) {
      world.aheadMs += jumpMs;
      expect(world.look()).toBeUndefined();
    }
  });

  test("cannot hide in a slow answer", () => {
    const world = new World();
    world.look();
    world.aheadMs += 7_000;
    expect(world.look({ backMs: 4_000 })).toBeUndefined();
    expect(world.look()).toBe(7_000);
    expect(world.look()).toBeUndefined();
  });

  test("is told once though the answer that tells it was slow", () => {
    const world = new World();
    world.look();
    world.aheadMs -= HOUR_MS;
    const jumpMs = world.look({ thereMs: 2_000, backMs: 2_000 });
    expect(jumpMs).toBeGreaterThanOrEqual(-HOUR_MS);
    expect(jumpMs).toBeLessThanOrEqual(-HOUR_MS + 4_000);
    expect(world.look()).toBeUndefined();
  });

  test("says which way, how far and what to do", () => {
    expect(new ClockJumpError(7_000).message).toMatch(
      /jumped 7000 ms forward.*run twice.*NTP slew/,
    );
    expect(new ClockJumpError(-7_000).message).toMatch(/jumped 7000 ms back.*later.*NTP slew/);
    expect(new ClockJumpError(7_000)).toMatchObject({ code: "CLOCK_JUMP", retryable: false });
  });
});

describe("no jump", () => {
  test("is a worker that was stopped, blocked, or answered late", () => {
    const world = new World();
    const lateMs = [0, 1, 30_000, HOUR_MS];
    for (const thereMs of lateMs) {
      for (const backMs of lateMs) {
        for (const pauseMs of lateMs) {
          expect(world.look({ thereMs, backMs, pauseMs })).toBeUndefined();
        }
      }
    }
  });

  test("is a clock that drifts, or is slewed", () => {
    const world = new World();
    for (let look = 0; look < 1_000; look += 1) {
      expect(world.look({ thereMs: 1, backMs: 1, pauseMs: 5_000 })).toBeUndefined();
      world.aheadMs += 5_000 * 0.083;
    }
    for (let look = 0; look < 100; look += 1) {
      expect(world.look({ pauseMs: HOUR_MS })).toBeUndefined();
      world.aheadMs -= HOUR_MS * 0.083;
    }
  });

  test("whatever the delays are", () => {
    const delay = fc.nat({ max: 100_000 });
    const looks = fc.array(fc.record({ thereMs: delay, backMs: delay, pauseMs: delay }));
    fc.assert(
      fc.property(looks, (all) => {
        const world = new World();
        expect(all.map((each) => world.look(each))).toEqual(all.map(() => undefined));
      }),
    );
  });
});

test("whatever the delays are, a jump is told once, and to within the slower round trip", () => {
  const delay = fc.nat({ max: 1_000 });
  const look = fc.record({ thereMs: delay, backMs: delay, pauseMs: delay });
  const jump = fc.integer({ min: 8_000, max: HOUR_MS }).chain((ms) => fc.constantFrom(ms, -ms));
  fc.assert(
    fc.property(fc.array(look, { minLength: 1 }), jump, fc.array(look), (before, jumpMs, after) => {
      const world = new World();
      for (const each of before) world.look(each);
      world.aheadMs += jumpMs;
      const told = [...after, {}].map((each) => world.look(each)).filter((ms) => ms !== undefined);
      expect(told).toHaveLength(1);
      expect(Math.abs(told[0]! - jumpMs)).toBeLessThanOrEqual(4_000);
    }),
  );
});
