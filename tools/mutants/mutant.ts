/** One way to break a script: a text that stands exactly once in its file, and what takes its place. */
export interface Mutant {
  /** What the broken script does wrong. */
  readonly name: string;
  readonly original: string;
  readonly replacement: string;
  /** Why no test can tell it from the original: the reason is looked at, not the tests. */
  readonly isEquivalent?: string;
}

/** By the file of src/scripts that they break. */
export type Mutants = Readonly<Record<string, readonly Mutant[]>>;

export function mutant(name: string, original: string, replacement: string): Mutant {
  return { name, original, replacement };
}

/** Without a line that stands there for one purpose only. */
export function without(line: string, name: string): Mutant {
  return { name, original: `${line}\n`, replacement: "\n" };
}

export function equivalent(reason: string, { name, original, replacement }: Mutant): Mutant {
  return { name, original, replacement, isEquivalent: reason };
}
