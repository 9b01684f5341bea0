import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { promisify } from "node:util";

const run = promisify(execFile);
const sudoTimeoutMs = 10_000;
const installTimeoutMs = 10 * 60_000;

/** Debian, Ubuntu or a relative of theirs, with root or a sudo that asks for no password. */
export async function canInstallPackages(): Promise<boolean> {
  return (await isDebianLike()) && (isRoot() || (await hasSilentSudo()));
}

/** Installs one package and leaves no daemon of it running. */
export async function installPackage(name: string): Promise<void> {
  const command = ["sh", "-c", installScript, "install", name];
  const [program, ...args] = isRoot() ? command : ["sudo", "-n", ...command];
  try {
    await run(String(program), args, { timeout: installTimeoutMs, maxBuffer: 64 * 1024 * 1024 });
  } catch (error) {
    const output = ((error as { stderr?: string }).stderr ?? "").trim();
    throw new Error(`apt-get could not install ${name}: ${output}`, { cause: error });
  }
}

/**
 * Debian starts a daemon as soon as it is installed, and at each boot from then on. A policy-rc.d
 * that answers 101 forbids the first, unless the machine has its own; disabling it ends the second.
 * The package lists are fetched only if the package cannot be installed without.
 */
const installScript = `
set -eu
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  trap 'rm -f "$policy"' EXIT
  trap 'exit 130' INT TERM HUP
  printf '#!/bin/sh\\nexit 101\\n' > "$policy"
  chmod 755 "$policy"
fi
export DEBIAN_FRONTEND=noninteractive
install() {
  apt-get install -y --no-install-recommends -o DPkg::Lock::Timeout=60 "$1"
}
if ! install "$1"; then
  apt-get update
  install "$1"
fi
if [ -d /run/systemd/system ] && [ -e "/lib/systemd/system/$1.service" ]; then
  systemctl disable --quiet --now "$1"
fi
`;

async function isDebianLike(): Promise<boolean> {
  let release: string;
  try {
    release = await readFile("/etc/os-release", "utf8");
  } catch {
    return false; // No such file: not a Linux of this family.
  }
  const ids = new Set(
    release
      .split("\n")
      .filter((line) => /^ID(_LIKE)?=/.test(line))
      .flatMap((line) =>
        line
          .replace(/^[^=]*=/, "")
          .replaceAll(/["']/g, "")
          .split(" "),
      ),
  );
  return ids.has("debian") || ids.has("ubuntu");
}

function isRoot(): boolean {
  return process.getuid?.() === 0;
}

async function hasSilentSudo(): Promise<boolean> {
  try {
    await run("sudo", ["-n", "true"], { timeout: sudoTimeoutMs });
    return true;
  } catch {
    return false; // No sudo, or it would ask for a password.
  }
}
