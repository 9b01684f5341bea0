/** Runs the snippets of docs/operations.md as they stand there. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import ts from "typescript";

const page = readFileSync(join(import.meta.dirname, "../../docs/operations.md"), "utf8");

type Run = (...values: unknown[]) => Promise<void>;
const AsyncFunction = (async () => undefined).constructor as new (...parts: string[]) => Run;

/** The TypeScript snippets under a heading, in order. */
export function snippetsUnder(heading: string): string[] {
  const section = page.split(/^## /m).find((text) => text.startsWith(`${heading}\n`));
  if (section === undefined) {
    throw new Error(`docs/operations.md has no heading "${heading}"`);
  }
  return [...section.matchAll(/^ *```ts\n(.*?)^ *```$/gms)].map((match) => match[1]!);
}

/** Runs a snippet in which these names stand for these values. */
export async function runSnippet(
  heading: string,
  index: number,
  bindings: Readonly<Record<string, unknown>>,
): Promise<void> {
  const snippet = snippetsUnder(heading)[index];
  if (snippet === undefined) {
    throw new Error(`under "${heading}" there is no snippet ${index}`);
  }
  const { target, module } = { target: ts.ScriptTarget.ES2023, module: ts.ModuleKind.ESNext };
  const code = ts.transpile(snippet, { target, module });
  await new AsyncFunction(...Object.keys(bindings), code)(...Object.values(bindings));
}
