/** Another revision of holdfast, built beside this checkout. */
import { execFile } from "node:child_process";
import { mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
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
  const commit = await git("rev-parse", "--short", "--verify", `${revision}^{commit}`);
  const folder = await mkdtemp(join(tmpdir(), "holdfast-bench-"));
  try {
    print(`Build: ${revision} (${commit}) ...`);
    await git("worktree", "add", "--detach", "--force", folder, commit);
    await symlink(join(root, "node_modules"), join(folder, "node_modules"));
    const compiler = join(root, "node_modules/typescript/bin/tsc");
    await run(process.execPath, [compiler, "-p", "tsconfig.build.json"], { cwd: folder, timeout });
    const dist = join(folder, "dist/index.js");
    return await use({ name: `holdfast@${commit}`, module: "holdfast", dist });
  } finally {
    await rm(folder, { recursive: true, force: true });
    await git("worktree", "prune");
  }
}

async function git(...args: string[]): Promise<string> {
  const { stdout } = await run("git", args, { cwd: root, timeout });
  return stdout.trim();
}
