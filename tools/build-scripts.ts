/**
 * Joins src/scripts/*.lua with the shared functions of src/scripts/lib into src/scripts/generated.ts.
 *
 * The prologue of a script is its contract: lines that bind KEYS and ARGV to names, and nothing else
 * in the file may touch them. The generator reads these lines, so a name cannot drift from the code.
 *
 *   local delayed_key = KEYS[1]                        a key, named by its part
 *   local max_jobs = tonumber(ARGV[1])                 an argument
 *   local list, list_from = ARGV, 2 -- each: id, token the arguments that repeat
 *   -- uses: time, lease                               files of lib/ to put in front
 *
 * `--check` writes nothing and fails when the committed file is out of date.
 */
import { createHash } from "node:crypto";
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";

const scriptsFolder = join(import.meta.dirname, "../src/scripts");
const outputFile = join(scriptsFolder, "generated.ts");

interface Script {
  name: string;
  source: string;
  keys: string[];
  args: string[];
  listFields: string[];
}

function camelCase(name: string): string {
  return name.replace(/[_-](\w)/g, (_, letter: string) => letter.toUpperCase());
}

function parseScript(file: string): Script {
  const text = readFileSync(join(scriptsFolder, file), "utf8");
  const keys: string[] = [];
  const args: string[] = [];
  let listFields: string[] = [];
  const body: string[] = [];
  for (const line of text.split("\n")) {
    const key = /^local (\w+)_key = KEYS\[(\d+)\]$/.exec(line);
    const arg = /^local (\w+) = (?:tonumber\()?ARGV\[(\d+)\]\)?(?: == "1")?(?: -- .+)?$/.exec(line);
    const list = /^local list, list_from = ARGV, (\d+) -- each: (.+)$/.exec(line);
    if (key?.[1] !== undefined) {
      keys.push(camelCase(key[1]));
      expectPosition(file, line, keys.length, key[2]);
    } else if (arg?.[1] !== undefined) {
      args.push(camelCase(arg[1]));
      expectPosition(file, line, args.length, arg[2]);
    } else if (list?.[2] !== undefined) {
      expectPosition(file, line, args.length + 1, list[1]);
      listFields = list[2]
        .replace(/\([^)]*\)/g, "")
        .split(",")
        .map((field) => camelCase(field.trim().split(" ")[0] ?? ""));
    } else {
      body.push(line.replace(/--.*$/, ""));
    }
  }
  if (/\b(KEYS|ARGV)\b/.test(body.join("\n"))) {
    throw new Error(
      `${file}: KEYS and ARGV may only be bound to names, one a line, before the code`,
    );
  }
  return { name: basename(file, ".lua"), source: assemble(file, text), keys, args, listFields };
}

function expectPosition(file: string, line: string, expected: number, found?: string): void {
  if (Number(found) !== expected) {
    throw new Error(`${file}: expected position ${expected} in: ${line}`);
  }
}

function assemble(file: string, text: string): string {
  const uses = /^-- uses: (.+)$/m.exec(text)?.[1]?.split(", ") ?? [];
  const shared = uses.map((name) =>
    readFileSync(join(scriptsFolder, "lib", `${name}.lua`), "utf8"),
  );
  return [`-- holdfast: ${basename(file, ".lua")}\n`, ...shared, text].join("").trimEnd();
}

function render(scripts: Script[]): string {
  const lines = [
    "// Built from the .lua files beside this one by tools/build-scripts.ts. Do not edit.",
    'import type { ScriptDefinition } from "./definition.ts";',
    "",
  ];
  for (const script of scripts) {
    const definition = {
      name: script.name,
      sha1: createHash("sha1").update(script.source).digest("hex"),
      keys: script.keys,
      args: script.args,
      listFields: script.listFields,
    };
    const source = script.source.replace(/[`\\]|\$\{/g, "\\$&");
    const fields = Object.entries(definition).map(([key, value]) => `  ${key}: ${literal(value)},`);
    lines.push(`export const ${camelCase(script.name)} = {`, ...fields);
    lines.push(`  source: \`${source}\`,`, "} as const satisfies ScriptDefinition;", "");
  }
  return lines.join("\n");
}

function literal(value: string | string[]): string {
  return Array.isArray(value) ? `[${value.map((item) => `"${item}"`).join(", ")}]` : `"${value}"`;
}

const scripts = readdirSync(scriptsFolder)
  .filter((file) => file.endsWith(".lua"))
  .toSorted()
  .map(parseScript);
const output = render(scripts);

if (process.argv.includes("--check")) {
  if (readFileSync(outputFile, "utf8") !== output) {
    throw new Error("src/scripts/generated.ts is out of date: run `npm run build:scripts`");
  }
} else {
  writeFileSync(outputFile, output);
}
console.log(
  `${scripts.length} scripts, generated.ts is ${process.argv.includes("--check") ? "up to date" : "written"}`,
);
