/** Runs tests on broken scripts, in a process of their own, and says which test files turn red. */
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const rootFolder = join(import.meta.dirname, "../..");
const vitest = join(rootFolder, "node_modules/vitest/vitest.mjs");
const TIMEOUT_MS = 300_000;

export interface Stage {
  readonly files: readonly string[];
  /** How many sequences the model plays. */
  readonly sequences: number;
  /** A regular expression; all tests of the files without it. */
  readonly testNames?: string;
}

interface Run extends Stage {
  readonly module: string;
  readonly redisUrl: string;
}

interface Report {
  readonly testResults: readonly { readonly name: string; readonly status: string }[];
}

/** @throws if the tests did not run to a report */
export async function redFiles({
  module,
  redisUrl,
  files,
  sequences,
  testNames = "",
}: Run): Promise<string[]> {
  const folder = mkdtempSync(join(tmpdir(), "holdfast-mutant-"));
  try {
    const scripts = join(folder, "generated.ts");
    const report = join(folder, "report.json");
    writeFileSync(scripts, module);
    const config = join(import.meta.dirname, "vitest.config.ts");
    const args = [
      "run",
      "--config",
      config,
      "--bail=1",
      "--reporter=json",
      `--outputFile=${report}`,
      ...files,
    ];
    if (testNames !== "") args.push("--testNamePattern", testNames);
    await runToEnd([vitest, ...args], {
      REDIS_URL: redisUrl,
      HOLDFAST_MUTATED_SCRIPTS: scripts,
      HOLDFAST_MODEL_SEQUENCES: String(sequences),
      HOLDFAST_MODEL_END_ON_FAILURE: "yes",
    });
    const { testResults } = JSON.parse(readFileSync(report, "utf8")) as Report;
    if (testResults.length === 0) {
      throw new Error(`no tests in ${files.join(", ")}`);
    }
    const red = testResults.filter(({ status }) => status === "failed");
    return red.map(({ name }) => name.slice(name.indexOf("/test/") + 1));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function runToEnd(args: readonly string[], environment: NodeJS.ProcessEnv): Promise<void> {
  const child = spawn(process.execPath, args, {
    cwd: rootFolder,
    env: { ...process.env, ...environment },
    stdio: ["ignore", "ignore", "inherit"],
    timeout: TIMEOUT_MS,
  });
  await new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
}
