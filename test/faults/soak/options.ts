import { randomInt } from "node:crypto";
import { parseArgs } from "node:util";
import { MAX_SHARDS } from "../../../src/core/model/limits.ts";

const MAX_SECONDS = 24 * 60 * 60;
const MAX_SEED = 2 ** 31 - 1;

export interface CommandLine {
  readonly seconds: number;
  readonly seed: number;
  readonly shards: number;
  readonly jsonFile: string | undefined;
  /** Whether the histories stay where they are, also if nothing is wrong. */
  readonly keepsHistories: boolean;
}

/** @throws Error that says what is wrong with the command line */
export function readCommandLine(args: readonly string[]): CommandLine {
  const { values } = parseArgs({
    args: [...args],
    options: {
      seconds: { type: "string", default: "60" },
      seed: { type: "string" },
      shards: { type: "string", default: "1" },
      json: { type: "string" },
      keep: { type: "boolean", default: false },
    },
  });
  return {
    seconds: wholeNumber("--seconds", values.seconds, MAX_SECONDS),
    seed: wholeNumber("--seed", values.seed ?? String(randomInt(1, MAX_SEED)), MAX_SEED),
    shards: wholeNumber("--shards", values.shards, MAX_SHARDS),
    jsonFile: values.json,
    keepsHistories: values.keep,
  };
}

function wholeNumber(name: string, text: string, highest: number): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1 || value > highest) {
    throw new Error(`${name} is ${text}, but must be a whole number from 1 to ${highest}`);
  }
  return value;
}
