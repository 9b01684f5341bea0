/** Builds of holdfast as applications install them, two of which can work side by side. */
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import type { ScriptDefinition } from "../../src/scripts/definition.ts";

const root = join(import.meta.dirname, "../..");

/** A temporary folder in which builds find the packages that they depend on. */
export async function makeReleaseFolder(): Promise<{ path: string; remove(): Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), "holdfast-releases-"));
  await symlink(join(root, "node_modules"), join(path, "node_modules"));
  await writeFile(join(path, "package.json"), '{ "type": "module" }');
  return { path, remove: () => rm(path, { recursive: true, maxRetries: 5 }) };
}

/** Builds these sources as the package is built, but for the type check, which `npm run check` does. */
export async function buildRelease(folder: string): Promise<void> {
  const compiler = join(root, "node_modules/typescript/bin/tsc");
  const options = ["-p", join(root, "tsconfig.build.json"), "--noCheck", "--outDir", folder];
  await promisify(execFile)(process.execPath, [compiler, ...options]);
}

/** Another release: each of its scripts differs by a line, and so in the SHA-1 that Redis knows it by. */
export async function deriveRelease(
  from: string,
  folder: string,
  { dataVersion }: { dataVersion?: number } = {},
): Promise<void> {
  await cp(from, folder, { recursive: true });
  const generated = pathToFileURL(join(from, "scripts/generated.js")).href;
  const scripts = (await import(generated)) as Record<string, ScriptDefinition>;
  const lines = Object.entries(scripts).map(([name, script]) => {
    const source = `-- another release\n${script.source}`;
    const sha1 = createHash("sha1").update(source).digest("hex");
    return `export const ${name} = ${JSON.stringify({ ...script, source, sha1 })};\n`;
  });
  await writeFile(join(folder, "scripts/generated.js"), lines.join(""));
  if (dataVersion !== undefined) {
    const limits = join(folder, "core/model/limits.js");
    const raised = (await readFile(limits, "utf8")).replace(
      /DATA_VERSION = \d+/,
      `DATA_VERSION = ${dataVersion}`,
    );
    await writeFile(limits, raised);
  }
}
