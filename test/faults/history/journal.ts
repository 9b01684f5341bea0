/** A process's own append-only file of what it saw. */
import { closeSync, openSync, readdirSync, readFileSync, writeSync } from "node:fs";
import { basename, join } from "node:path";
import type { Entry, Line, NewLine } from "./lines.ts";

const ENDING = ".jsonl";

export class Journal {
  readonly #file: number;

  /** @param life which life of which process writes, such as `worker-1.3` */
  constructor(folder: string, life: string) {
    this.#file = openSync(join(folder, life + ENDING), "ax");
  }

  /** Written when this returns, so that a process that is killed next has said it. */
  write(line: NewLine): void {
    writeSync(this.#file, `${JSON.stringify({ at: Date.now(), ...line })}\n`);
  }

  close(): void {
    closeSync(this.#file);
  }
}

/** All that was written in the folder, in the order of time. */
export function readJournals(folder: string): Entry[] {
  return readdirSync(folder)
    .filter((file) => file.endsWith(ENDING))
    .flatMap((file) => readJournal(join(folder, file)))
    .toSorted((first, second) => first.at - second.at);
}

function readJournal(path: string): Entry[] {
  const life = basename(path, ENDING);
  // What comes after the last line break was being written when the process was killed.
  const lines = readFileSync(path, "utf8").split("\n").slice(0, -1);
  return lines.map((line) => Object.assign(JSON.parse(line) as Line, { life }));
}
