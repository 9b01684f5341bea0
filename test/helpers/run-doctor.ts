/** Runs `holdfast doctor`: as a process of its own, as a user would, or within this one. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { text as readText } from "node:stream/consumers";
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
    readText(child.stdout),
    readText(child.stderr),
  ]);
  return { code, out, err };
}

/** The same within this process, which starts sooner. */
export async function runDoctor(
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
): Promise<Run> {
  const written = { out: "", err: "" };
  const code = await doctor(args, {
    env,
    hasColours: false,
    out: (text) => (written.out += text),
    err: (text) => (written.err += text),
  });
  return { code, ...written };
}

/** The JSON document on a server, and the exit code. */
export async function diagnosisOf(
  url: string,
  ...args: readonly string[]
): Promise<{ code: number; diagnosis: Diagnosis }> {
  const { code, out, err } = await runDoctor(["--url", url, "--json", ...args]);
  if (err !== "") {
    throw new Error(err);
  }
  return { code, diagnosis: JSON.parse(out) as Diagnosis };
}

/** All findings of some severity, as "check: message". */
export function findingsOf({ findings, servers, queues }: Diagnosis, severity: string): string[] {
  return [...findings, ...[...servers, ...queues].flatMap((part) => part.findings)]
    .filter((finding) => finding.severity === severity)
    .map(({ check, message }) => `${check}: ${message}`);
}
