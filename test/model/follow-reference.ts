import fc from "fast-check";
import { play } from "./play.ts";
import { setStage } from "./stage.ts";
import { sequences } from "./steps.ts";

export async function followReference(ids: readonly string[]): Promise<void> {
  const stage = await setStage();
  const property = fc.asyncProperty(sequences(ids), (sequence) => play(sequence, stage));
  const numRuns = Number(process.env["HOLDFAST_TEST_MODEL_RUNS"] ?? 1_000);
  await fc.assert(property, { numRuns });
}
