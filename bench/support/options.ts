import { parseArgs } from "node:util";

const defaultRepeats = 5;
const quickRepeats = 2;
const maxRepeats = 100;

export interface BenchOptions {
  /** Empty for all. */
  readonly scenarios: readonly string[];
  readonly isQuick: boolean;
  readonly repeats: number;
  readonly resultFile: string | undefined;
  readonly listsOnly: boolean;
}

/** @throws Error that says what is wrong with the command line */
export function readOptions(args: readonly string[]): BenchOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      scenario: { type: "string", multiple: true, default: [] },
      quick: { type: "boolean", default: false },
      json: { type: "string" },
      repeats: { type: "string" },
      list: { type: "boolean", default: false },
    },
  });
  const repeats = Number(values.repeats ?? (values.quick ? quickRepeats : defaultRepeats));
  if (!Number.isInteger(repeats) || repeats < 1 || repeats > maxRepeats) {
    throw new Error(`--repeats must be a whole number from 1 to ${maxRepeats}`);
  }
  return {
    scenarios: values.scenario,
    isQuick: values.quick,
    repeats,
    resultFile: values.json,
    listsOnly: values.list,
  };
}
