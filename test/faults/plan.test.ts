/** What a seed draws. */
import { expect, test } from "vitest";
import { drawJob } from "./processes/behaviour.ts";
import { Chance } from "./soak/chance.ts";
import { drawFaults, FAULT_KINDS } from "./soak/plan.ts";

const SEEDS = [1, 2, 3, 2 ** 31 - 1];

test("the same seed draws the same faults, and another seed others", () => {
  for (const seed of SEEDS) {
    expect(drawFaults(seed, 60)).toEqual(drawFaults(seed, 60));
  }
  const plans = SEEDS.map((seed) => JSON.stringify(drawFaults(seed, 60)));
  expect(new Set(plans).size).toBe(SEEDS.length);
});

test("a longer run begins like a shorter one", () => {
  const short = drawFaults(1, 30);
  expect(drawFaults(1, 60).slice(0, short.length)).toEqual(short);
});

test.each(SEEDS)("a minute sees faults of every kind, seed %i", (seed) => {
  const kinds = new Set(drawFaults(seed, 60).map(({ kind }) => kind));
  expect([...kinds].toSorted()).toEqual(FAULT_KINDS.toSorted());
});

test("the same life of a producer draws the same jobs, and the next life others", () => {
  const draw = (life: string) => {
    const chance = new Chance(1, life);
    return Array.from({ length: 100 }, () => drawJob(chance));
  };
  expect(draw("producer-1.1")).toEqual(draw("producer-1.1"));
  expect(draw("producer-1.1")).not.toEqual(draw("producer-1.2"));
});

test("chance is fair and within its bounds", () => {
  const chance = new Chance(1, "fair");
  const counts = [0, 0, 0, 0];
  for (let draw = 0; draw < 10_000; draw += 1) {
    counts[chance.integer(0, 3)]! += 1;
    const fraction = chance.fraction();
    expect(fraction).toBeGreaterThanOrEqual(0);
    expect(fraction).toBeLessThan(1);
  }
  for (const count of counts) expect(Math.abs(count - 2_500)).toBeLessThan(250);
});
