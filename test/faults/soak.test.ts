/** A short soak, as `npm run soak` makes long ones. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { expect, onTestFinished, test } from "vitest";
import { failOnLeaks } from "../helpers/leak-check.ts";
import { waitFor } from "../helpers/wait-for.ts";
import type { Figures } from "./soak/figures.ts";

failOnLeaks();

const program = join(import.meta.dirname, "soak.ts");

function startSoak(args: readonly string[]) {
  const child = spawn(process.execPath, ["--import", "tsx", program, ...args], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  onTestFinished(() => void child.kill("SIGTERM"));
  return {
    child,
    ended: once(child, "exit"),
    output: text(child.stdout),
    errors: text(child.stderr),
  };
}

test(
  "eight seconds of faults lose nothing, and the figures are written down",
  { timeout: 180_000 },
  async () => {
    const folder = mkdtempSync(join(tmpdir(), "holdfast-soak-test-"));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const file = join(folder, "figures.json");
    const soak = startSoak(["--seconds", "8", "--seed", "3", "--json", file]);
    const [code] = await soak.ended;
    expect(await soak.errors).toBe("");
    const output = await soak.output;
    expect(output).toContain("--seed 3");
    expect({ code, output }).toMatchObject({ code: 0 });
    const { jobs, totals, faults, violations } = JSON.parse(readFileSync(file, "utf8")) as Figures;
    expect(violations).toEqual([]);
    expect(jobs.confirmed).toBeGreaterThan(50);
    expect(totals.completed).toBeGreaterThan(50);
    expect(Object.values(faults).reduce((sum, count) => sum + count)).toBeGreaterThan(5);
    expect(existsSync(historyFolderIn(output)), "histories are gone").toBe(false);
  },
);

test("Ctrl-C ends every process", { timeout: 60_000 }, async () => {
  const soak = startSoak(["--seconds", "60"]);
  let output = "";
  soak.child.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()));
  await waitFor(() => output.includes("histories in"), { timeoutMs: 50_000 });
  const folder = historyFolderIn(output);
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const { pid } = soak.child;
  const family = childrenOf(pid!);
  expect(family.length).toBeGreaterThanOrEqual(5);
  soak.child.kill("SIGINT");
  const [code] = await soak.ended;
  expect(code).toBe(130);
  await waitFor(() => family.every((member) => !isRunning(member)));
});

function historyFolderIn(output: string): string {
  return /histories in (\S+)/.exec(output)![1]!;
}

function childrenOf(pid: number): number[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8");
  return children.trim().split(" ").map(Number);
}

/** A zombie has ended: its parent has not asked yet. */
function isRunning(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false; // there is no such process
  }
}
