/** Runs `holdfast doctor`: as a process of its own, as a user would, or within this one. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { doctor } from "../../src/cli/doctor/doctor.ts";
import type { Diagnosis } from "../../src/cli/doctor/diagnosis.ts";

const program = join(import.meta.dirname, "../../src/cli/holdfast.ts");
const tsx = join(import.meta.dirname, "../../node_modules/tsx/dist/cli.mjs");

interface Run {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

export async function runHoldfast(
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
): Promise<Run> {
  const child = spawn(process.execPath, [tsx, program, ...args], {
    env: { ...process.env, REDIS_URL: "", ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const [[code], out, err] = await Promise.all([
    once(child, "close") as Promise<[number]>,
    text(child.stdout),
    text(child.stderr),
  ]);
  return { code, out, err };
}

/** The JSON document on a server, and the exit code. */
export async function diagnosisOf(
  url: string,
  ...args: readonly string[]
): Promise<{ code: number; diagnosis: Diagnosis }> {
  const written = { out: "", err: "" };
  const code = await doctor(["--url", url, "--json", ...args], {
    env: {},
    hasColours: false,
    out: (line) => (written.out += line),
    err: (line) => (written.err += line),
  });
  if (written.err !== "") {
    throw new Error(written.err);
  }
  return { code, diagnosis: JSON.parse(written.out) as Diagnosis };
}

/** All findings of some severity, as "check: message". */
export function findingsOf({ findings, servers, queues }: Diagnosis, severity: string): string[] {
  return [...findings, ...[...servers, ...queues].flatMap((part) => part.findings)]
    .filter((finding) => finding.severity === severity)
    .map(({ check, message }) => `${check}: ${message}`);
}
