/** Sees to it that `dist` is what `src` says: the bench measures what users install. */
import { execFile } from "node:child_process";
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

const root = join(import.meta.dirname, "../..");
const buildTimeoutMs = 120_000;
const run = promisify(execFile);

/** @throws Error with the compiler's output if the build fails */
export async function ensureBuilt(print: (line: string) => void): Promise<void> {
  if (await isBuilt()) {
    return;
  }
  print("Build: dist is missing or older than src, so building it ...");
  const compiler = join(root, "node_modules/typescript/bin/tsc");
  try {
    await run(process.execPath, [compiler, "-p", "tsconfig.build.json"], {
      cwd: root,
      timeout: buildTimeoutMs,
    });
  } catch (error) {
    const { stdout = "" } = error as { stdout?: string };
    throw new Error(`The build of dist failed.\n${stdout}`, { cause: error });
  }
}

async function isBuilt(): Promise<boolean> {
  const built = await changedAt(join(root, "dist/index.js"));
  const files = await readdir(join(root, "src"), { recursive: true });
  const sources = files.filter((file) => file.endsWith(".ts"));
  const times = await Promise.all(sources.map((file) => changedAt(join(root, "src", file))));
  return times.every((time) => time < built);
}

async function changedAt(path: string): Promise<number> {
  try {
    return (await stat(path)).mtimeMs;
  } catch {
    return 0; // Not there: never built, or removed meanwhile.
  }
}
