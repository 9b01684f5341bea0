/** The ways to break the scripts fit the scripts as they are now. */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { allMutants } from "../../tools/mutants/all.ts";
import { breakScripts } from "../../tools/mutants/break-script.ts";

const scriptsFolder = join(import.meta.dirname, "../../src/scripts");

test.each(allMutants)("$file: $mutant.name", ({ file, mutant }) => {
  expect(breakScripts(file, mutant).names).not.toEqual([]);
});

test("every script can be broken", () => {
  const scripts = readdirSync(scriptsFolder, { recursive: true, encoding: "utf8" });
  const files = new Set(allMutants.map(({ file }) => file));
  expect(scripts.filter((file) => file.endsWith(".lua") && !files.has(file))).toEqual([]);
});
