import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { queueKeys } from "../../../src/core/store/keys.ts";
import type { ScriptDefinition } from "../../../src/scripts/definition.ts";
import * as scripts from "../../../src/scripts/generated.ts";
import { rawRedis } from "../../helpers/redis.ts";

const projectFolder = join(import.meta.dirname, "../../..");
const scriptsFolder = join(projectFolder, "src/scripts");
const definitions: readonly ScriptDefinition[] = Object.values(scripts);

function luaFiles(folder: string): { file: string; text: string }[] {
  return readdirSync(folder)
    .filter((file) => file.endsWith(".lua"))
    .toSorted()
    .map((file) => ({ file, text: readFileSync(join(folder, file), "utf8") }));
}

const scriptFiles = luaFiles(scriptsFolder);
const sharedFiles = luaFiles(join(scriptsFolder, "lib"));

/** Lines that bind KEYS and ARGV to names. */
const BINDINGS = [
  /^local \w+_key = KEYS\[\d+\]$/,
  /^local \w+ = ARGV\[\d+\]( == "1")?$/,
  /^local \w+ = tonumber\(ARGV\[\d+\]\)$/,
  /^local list, list_from = ARGV, \d+$/,
];

function isBinding(line: string): boolean {
  return BINDINGS.some((binding) => binding.test(line));
}

function codeLines(text: string): string[] {
  return text
    .split("\n")
    .map((line) => line.replace(/--.*$/, "").trimEnd())
    .filter((line) => line !== "");
}

describe("generated.ts", () => {
  it("is up to date", async () => {
    const args = ["--import", "tsx", "tools/build-scripts.ts", "--check"];
    const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: projectFolder });
    expect(stdout).toContain("up to date");
  });

  it("has one definition per file", () => {
    const names = scriptFiles.map(({ file }) => file.slice(0, -".lua".length));
    expect(names).toHaveLength(22);
    expect(definitions.map(({ name }) => name)).toEqual(names);
  });

  it.each(definitions)("has the SHA-1 by which the server knows $name", async (definition) => {
    const { source, sha1 } = definition;
    expect(createHash("sha1").update(source).digest("hex")).toBe(sha1);
    expect(await rawRedis().script("LOAD", source)).toBe(sha1);
  });

  it.each(definitions)("names keys of the queue, each once, for $name", ({ keys }) => {
    expect(Object.keys(queueKeys("p", "q"))).toEqual(expect.arrayContaining([...keys]));
    expect(new Set(keys).size).toBe(keys.length);
    expect(keys.length).toBeGreaterThan(0);
  });

  it.each(definitions)("has the source of $name in whole, with what it uses", (definition) => {
    const { name, source } = definition;
    const text = scriptFiles.find(({ file }) => file === `${name}.lua`)?.text ?? "";
    expect(source.endsWith(text.trimEnd())).toBe(true);
    const used = /^-- uses: (.+)$/m.exec(text)?.[1]?.split(", ") ?? [];
    const found = sharedFiles.filter(({ text: shared }) => source.includes(shared));
    expect(found.map(({ file }) => file)).toEqual(used.map((shared) => `${shared}.lua`).toSorted());
  });
});

describe("each script", () => {
  it.each(scriptFiles)("$file binds KEYS and ARGV before its code and nowhere else", ({ text }) => {
    const lines = codeLines(text);
    const firstOther = lines.findIndex((line) => !isBinding(line));
    expect(firstOther).toBeGreaterThan(0);
    const rest = lines.slice(firstOther).join("\n");
    expect(rest).not.toMatch(/\b(KEYS|ARGV)\b/);
  });

  it.each(scriptFiles)("$file opens with what it does and what it replies", ({ file, text }) => {
    const header = /^(?:--.*\n)+/.exec(text)?.[0] ?? "";
    expect(header.startsWith(`-- ${file.slice(0, -".lua".length)}: `)).toBe(true);
    expect(header).toMatch(/^-- Reply\b/m);
  });

  it.each([...scriptFiles, ...sharedFiles])("$file names what it writes", ({ text }) => {
    expect(codeLines(text).join("\n")).not.toMatch(/BYRANK|INCR|POP/); // decision 0012
  });

  it.each([...scriptFiles, ...sharedFiles])("$file has no shebang line", ({ text }) => {
    expect(text).not.toMatch(/^#!/m);
  });

  it.each(sharedFiles)("$file, shared, touches neither KEYS nor ARGV", ({ text }) => {
    expect(codeLines(text).join("\n")).not.toMatch(/\b(KEYS|ARGV)\b/);
  });

  it.each(definitions)("$name is sent without a shebang line", ({ source }) => {
    expect(source.startsWith("-- holdfast: ")).toBe(true);
    expect(source).not.toMatch(/^#!/m);
  });
});
