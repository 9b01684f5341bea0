/** One way to break a script: a text that stands exactly once in its file, and what takes its place. */
export interface Mutant {
  /** What the broken script does wrong. */
  readonly name: string;
  readonly original: string;
  readonly replacement: string;
  /** Whether it shows only where a script fails or is refused: the tests of atomicity come first. */
  readonly isAboutFailing?: true;
  /** Why no test can tell it from the original: the reason is looked at, not the tests. */
  readonly isEquivalent?: string;
}

/** By the file of src/scripts that they break. */
export type Mutants = Readonly<Record<string, readonly Mutant[]>>;

export function mutant(name: string, original: string, replacement: string): Mutant {
  return { name, original, replacement };
}

/** That shows only where a script fails or is refused. */
export function aboutFailing({ name, original, replacement }: Mutant): Mutant {
  return { name, original, replacement, isAboutFailing: true };
}

/** Without a line that checks a type, so that the script may fail after its first write. */
export function unchecked(part: string, line: string): Mutant {
  return aboutFailing(mutant(`does not check the type of ${part}`, `${line}\n`, "\n"));
}

/** With a write in front of the first removal, which a full Redis refuses. */
export function writesFirst(removal: string, write: string): Mutant {
  return aboutFailing(mutant("writes before it removes", removal, `${write}\n${removal}`));
}

export function equivalent(reason: string, { name, original, replacement }: Mutant): Mutant {
  return { name, original, replacement, isEquivalent: reason };
}

/** The parts of a queue that have a key of their own. */
export const PARTS = [
  "delayed",
  "processing",
  "dead",
  "jobs",
  "attempts",
  "errors",
  "claims",
  "waiting",
  "meta",
];
