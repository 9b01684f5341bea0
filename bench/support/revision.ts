/** Another revision of holdfast, built beside this checkout. */
import { execFile } from "node:child_process";
import { rmSync } from "node:fs";
import { mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { atProcessEnd } from "../../tools/redis/process-end.ts";
import type { BenchPeer } from "./scenario.ts";

const root = join(import.meta.dirname, "../..");
const timeout = 120_000;
const run = promisify(execFile);

/**
 * @param revision whatever git takes for one
 * @throws Error if there is none of the name, or it does not build with the packages that are installed here
 */
export async function withRevision<Result>(
  revision: string,
  print: (line: string) => void,
  use: (peer: BenchPeer) => Promise<Result>,
): Promise<Result> {
  const commit = await shortCommit(revision);
  const folder = await mkdtemp(join(tmpdir(), "holdfast-bench-"));
  const withdrawCleanUp = atProcessEnd(() => rmSync(folder, { recursive: true, force: true }));
  try {
    print(`Build: ${revision} (${commit}) ...`);
    await build(commit, folder);
    const dist = join(folder, "dist/index.js");
    return await use({ name: `holdfast@${commit}`, module: "holdfast", dist });
  } finally {
    await rm(folder, { recursive: true, force: true });
    withdrawCleanUp();
  }
}

async function shortCommit(revision: string): Promise<string> {
  try {
    return await git("rev-parse", "--short", "--verify", `${revision}^{commit}`);
  } catch (error) {
    throw new Error(`git knows no revision ${revision} in this checkout`, { cause: error });
  }
}

/** From an archive and not from a work tree: git has nothing to forget afterwards. */
async function build(commit: string, folder: string): Promise<void> {
  const archive = join(folder, "source.tar");
  await git("archive", "--format=tar", `--output=${archive}`, commit);
  await run("tar", ["-xf", archive, "-C", folder], { timeout });
  await symlink(join(root, "node_modules"), join(folder, "node_modules"));
  const compiler = join(root, "node_modules/typescript/bin/tsc");
  try {
    await run(process.execPath, [compiler, "-p", "tsconfig.build.json"], { cwd: folder, timeout });
  } catch (error) {
    const { stdout = "" } = error as { stdout?: string };
    throw new Error(`${commit} does not build with the packages installed here.\n${stdout}`, {
      cause: error,
    });
  }
}

async function git(...args: string[]): Promise<string> {
  const { stdout } = await run("git", args, { cwd: root, timeout });
  return stdout.trim();
}
