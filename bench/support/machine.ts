/** What a figure depends on beside the code: the machine, the versions, the commit. */
import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { arch, availableParallelism, cpus, loadavg, platform, release, totalmem } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import type { BenchServer } from "./bench-server.ts";
import type { MachineFacts } from "./result.ts";

const root = join(import.meta.dirname, "../..");
/** What figures depend on. */
const measured = ["src", "bench", ":!bench/results", "package.json", "package-lock.json"];
const gitTimeoutMs = 10_000;
const run = promisify(execFile);

export async function machineFacts(
  server: BenchServer,
  serverDescription: string,
): Promise<MachineFacts & { commit: string }> {
  const info = await server.info("server", "persistence");
  const manifest = JSON.parse(await readFile(join(root, "package.json"), "utf8")) as {
    version: string;
  };
  return {
    cpuModel: cpus()[0]?.model ?? "unknown",
    cores: availableParallelism(),
    memoryMib: Math.round(totalmem() / 1024 ** 2),
    system: `${platform()} ${release()} ${arch()}`,
    loadAverageAtStart: Number(loadavg()[0]?.toFixed(2)),
    nodeVersion: process.version,
    server: serverDescription,
    serverAppendOnly: info.get("aof_enabled") === "1" ? "yes" : "no",
    holdfastVersion: manifest.version,
    peerVersions: await peerVersions(),
    commit: await commit(),
  };
}

/** Of those that are installed. */
async function peerVersions(): Promise<string> {
  const { dependencies } = JSON.parse(
    await readFile(join(root, "bench/peers/package.json"), "utf8"),
  ) as {
    dependencies: Readonly<Record<string, string>>;
  };
  return Object.entries(dependencies)
    .map(([name, version]) => `${name} ${version}`)
    .join(", ");
}

/** The short commit, or "working-tree" where the files differ from it. */
async function commit(): Promise<string> {
  try {
    const changes = await git("status", "--porcelain", "--", ...measured);
    return changes === "" ? await git("rev-parse", "--short", "HEAD") : "working-tree";
  } catch {
    return "working-tree"; // No git, or no checkout: an unpacked archive, say.
  }
}

async function git(...args: string[]): Promise<string> {
  const { stdout } = await run("git", args, { cwd: root, timeout: gitTimeoutMs });
  return stdout.trim();
}
