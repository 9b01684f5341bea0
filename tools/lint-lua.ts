import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { canInstallPackages, installPackage } from "./debian-packages.ts";

const packageName = "lua-check";
const projectFolder = join(import.meta.dirname, "..");

/** The exit code of luacheck, or undefined where it is not installed. */
function runLuacheck(): number | undefined {
  const result = spawnSync("luacheck", ["--codes", "src/scripts"], {
    cwd: projectFolder,
    stdio: "inherit",
  });
  if (result.error && "code" in result.error && result.error.code === "ENOENT") {
    return undefined;
  }
  if (result.error) {
    throw result.error;
  }
  return result.status ?? 1;
}

async function installAndRun(): Promise<number | undefined> {
  if (!(await canInstallPackages())) {
    return undefined;
  }
  process.stdout.write(`luacheck is not here, so installing ${packageName} with apt-get ...\n`);
  await installPackage(packageName);
  return runLuacheck();
}

const exitCode = runLuacheck() ?? (await installAndRun());
if (exitCode === undefined) {
  process.stderr.write(
    `luacheck is not on the PATH. Install it: the package ${packageName} on Debian and Ubuntu, ` +
      "luacheck elsewhere (Homebrew, LuaRocks).\n",
  );
}
process.exitCode = exitCode ?? 1;
