/** Applies a mutant to the generated scripts, in memory: the files of the scripts stay as they are. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { ScriptDefinition } from "../../src/scripts/definition.ts";
import * as generated from "../../src/scripts/generated.ts";
import type { Mutant } from "./mutant.ts";

const scriptsFolder = join(import.meta.dirname, "../../src/scripts");
const scripts: Readonly<Record<string, ScriptDefinition>> = generated;

interface Export {
  readonly exportName: string;
  readonly script: ScriptDefinition;
}

interface BrokenScripts {
  /** The source of a module that takes the place of `generated.ts`. */
  readonly module: string;
  /** Names of the scripts that are broken: those that use the file. */
  readonly names: readonly string[];
}

/** @throws if the mutant's text does not stand exactly once in the file */
export function breakScripts(file: string, { name, original, replacement }: Mutant): BrokenScripts {
  const text = readFileSync(join(scriptsFolder, file), "utf8");
  const matches = text.split(original).length - 1;
  if (matches !== 1) {
    throw new Error(`${file}, "${name}": its text stands there ${matches} times, not once`);
  }
  const brokenText = text.replace(original, () => replacement).trimEnd();
  const broken = Object.entries(scripts).map(([exportName, script]) => {
    const source = script.source.replace(text.trimEnd(), () => brokenText);
    const sha1 = createHash("sha1").update(source).digest("hex");
    return { exportName, script: { ...script, source, sha1 } };
  });
  const names = broken
    .filter(({ exportName, script }) => script.source !== scripts[exportName]?.source)
    .map(({ script }) => script.name);
  if (names.length === 0) {
    throw new Error(`no script uses ${file}: run \`npm run build:scripts\``);
  }
  return { module: moduleOf(broken), names };
}

export function intactScripts(): string {
  return moduleOf(Object.entries(scripts).map(([exportName, script]) => ({ exportName, script })));
}

function moduleOf(exports: readonly Export[]): string {
  return exports
    .map(({ exportName, script }) => `export const ${exportName} = ${JSON.stringify(script)};\n`)
    .join("");
}
