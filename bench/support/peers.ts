/** Sees to it that the other libraries are installed: users of holdfast never get them. */
import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

const folder = join(import.meta.dirname, "../peers");
const installTimeoutMs = 120_000;
const run = promisify(execFile);

interface LockFile {
  readonly packages: Readonly<
    Record<string, { readonly version?: string; readonly optional?: boolean }>
  >;
}

/**
 * Needed before a run of `bullmq` or `bee-queue`.
 *
 * @throws Error that says what to do, if they cannot be installed
 */
export async function ensurePeers(print: (line: string) => void): Promise<void> {
  if (await isInstalled()) {
    return;
  }
  print("Peers: installing the libraries to compare with, from bench/peers/package-lock.json ...");
  const command = ["ci", "--prefix", folder, "--no-audit", "--no-fund"];
  try {
    await run("npm", command, { timeout: installTimeoutMs, shell: process.platform === "win32" });
  } catch (error) {
    const { stderr = "", killed = false } = error as { stderr?: string; killed?: boolean };
    const reason = killed ? `It took longer than ${installTimeoutMs / 1_000} s.` : stderr.trim();
    throw new Error(
      `The peers could not be installed. With a network, \`npm ci --prefix bench/peers\` does it; ` +
        `without one, --peer holdfast and --peer floor need none of them.\n${reason}`,
      { cause: error },
    );
  }
}

/** Whether what npm noted in node_modules is what the lock file names. */
async function isInstalled(): Promise<boolean> {
  const wanted = await readLock("package-lock.json");
  const installed = await readLock("node_modules/.package-lock.json");
  return Object.entries(wanted?.packages ?? {}).every(
    ([path, { version, optional }]) =>
      path === "" || optional || installed?.packages[path]?.version === version,
  );
}

async function readLock(file: string): Promise<LockFile | undefined> {
  try {
    return JSON.parse(await readFile(join(folder, file), "utf8")) as LockFile;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") {
      return undefined; // Never installed, or removed meanwhile.
    }
    throw error;
  }
}
