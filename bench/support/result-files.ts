/** The files in which runs are kept. */
import { existsSync } from "node:fs";
import { mkdir, open, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { BenchResult } from "./result.ts";

const resultsFolder = join(import.meta.dirname, "../results");
/** Git ignores files of this name. */
const localEnding = ".local.json";

/** Quick runs are for trying the programs out: git ignores their files. */
export function defaultResultFile(date: Date, commit: string, isQuick: boolean): string {
  const day = date.toISOString().slice(0, 10);
  for (let number = 1; ; number += 1) {
    const serial = number === 1 ? "" : `-${number}`;
    const ending = isQuick ? `-quick${localEnding}` : ".json";
    const path = join(resultsFolder, `${day}-${commit}${serial}${ending}`);
    if (!existsSync(path)) {
      return path;
    }
  }
}

/**
 * To be called before anything is measured.
 *
 * @throws Error if a run cannot or must not be written there: a quick one never replaces a full one
 */
export async function checkResultFile(path: string, isQuick: boolean): Promise<void> {
  await checkWritable(path);
  if (isQuick && existsSync(path) && !(await readResult(path)).isQuick) {
    throw new Error(`${path} holds a full run: a quick one does not replace it`);
  }
}

/** By writing: rights alone do not tell. */
async function checkWritable(path: string): Promise<void> {
  const isNew = !existsSync(path);
  try {
    await makeFolder(dirname(path));
    await (await open(path, "a")).close();
    if (isNew) {
      await rm(path);
    }
  } catch (error) {
    const advice = "so nothing is measured: name another file with --json";
    const { message } = error as Error;
    throw new Error(`${path} cannot be written, ${advice} (${message})`, { cause: error });
  }
}

/** Step by step: where the system makes no folders, such as below /proc, a recursive mkdir of Node never ends. */
async function makeFolder(folder: string): Promise<void> {
  if (!existsSync(folder)) {
    await makeFolder(dirname(folder));
    await mkdir(folder);
  }
}

export async function writeResult(path: string, result: BenchResult): Promise<void> {
  await makeFolder(dirname(path));
  await writeFile(path, `${JSON.stringify(result, undefined, 2)}\n`);
}

/** @throws Error that names the file if it is none of the bench */
export async function readResult(path: string): Promise<BenchResult> {
  const text = await readFile(path, "utf8");
  const result = parse(text);
  if (!result || !Array.isArray(result.scenarios) || typeof result.date !== "string") {
    throw new Error(`${path} is not a file that npm run bench has written`);
  }
  return result as BenchResult;
}

function parse(text: string): Partial<BenchResult> | undefined {
  try {
    return JSON.parse(text) as Partial<BenchResult>;
  } catch (error) {
    if (error instanceof SyntaxError) {
      return undefined;
    }
    throw error;
  }
}

/** The runs that are kept for good: neither quick nor ignored by git. Empty if there are none. */
export async function readKeptResults(folder = resultsFolder): Promise<BenchResult[]> {
  const names = existsSync(folder) ? await readdir(folder) : [];
  const kept = names.filter((name) => name.endsWith(".json") && !name.endsWith(localEnding));
  const results = await Promise.all(kept.toSorted().map((name) => readResult(join(folder, name))));
  return results.filter(({ isQuick }) => !isQuick);
}
