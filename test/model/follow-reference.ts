/** Lets fast-check look for a sequence of calls that the scripts answer differently from the reference. */
import { randomInt } from "node:crypto";
import * as fc from "fast-check";
import { it } from "vitest";
import { play } from "./play.ts";
import { setStage } from "./stage.ts";
import { sequences } from "./steps.ts";

/** For more sequences or a quick look; to play a failure again with the seed and path it names; not to shrink it. */
const {
  HOLDFAST_MODEL_SEQUENCES: count = "1000",
  HOLDFAST_MODEL_SEED: freshSeed = String(randomInt(2 ** 31)),
  HOLDFAST_MODEL_PATH: path,
  HOLDFAST_MODEL_END_ON_FAILURE: endOnFailure = "",
} = process.env;

const FIXED_SEED = 20_261_124;

/** A guard against a hang, not a measure: a thousand sequences take half a minute. */
const TIMEOUT_MS = 900_000;

export function itFollowsTheReference(ids: readonly string[]): void {
  const sets = [
    { seed: Number(freshSeed), numRuns: Number(count), ...(path === undefined ? {} : { path }) },
    { seed: FIXED_SEED, numRuns: Math.ceil(Number(count) / 5) },
  ];
  it.for(sets)("in $numRuns sequences of the seed $seed", { timeout: TIMEOUT_MS }, async (set) => {
    const stage = await setStage();
    const property = fc.asyncProperty(sequences(ids), (sequence) => play(sequence, stage));
    await fc.assert(property, { ...set, endOnFailure: endOnFailure !== "" });
  });
}
