/**
 * Runs the integration and fault tests on each server that holdfast supports, in containers. Prints a
 * line a server, then a table for the README, and fails unless every server ran tests and all passed.
 *
 *   npm run test:matrix
 *   npm run test:matrix -- --image redis:8 --image valkey/valkey:9 --only integration --parallel 1
 */
import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import pLimit from "p-limit";

const allImages = ["redis:7.0", "redis:8", "valkey/valkey:8", "valkey/valkey:9"];
const allSuites = ["integration", "faults"];
const root = join(import.meta.dirname, "..");

interface Options {
  readonly images: readonly string[];
  readonly suites: readonly string[];
  readonly parallel: number;
}

interface Outcome {
  readonly image: string;
  /** As the server tells it, for instance "valkey 9.0.1"; undefined if none came up. */
  readonly version: string | undefined;
  readonly passed: number;
  readonly failed: number;
  readonly seconds: number;
  readonly isGood: boolean;
  readonly output: string;
}

/** @throws Error that says what is wrong with the command line */
function readOptions(args: string[]): Options {
  const { values } = parseArgs({
    args,
    options: {
      image: { type: "string", multiple: true, default: allImages },
      only: { type: "string", multiple: true, default: allSuites },
      parallel: { type: "string", default: String(availableParallelism()) },
    },
  });
  const unknown = values.only.find((suite) => !allSuites.includes(suite));
  if (unknown !== undefined) {
    throw new Error(`--only ${unknown}: there are the suites ${allSuites.join(" and ")}`);
  }
  const parallel = Number(values.parallel);
  if (!Number.isInteger(parallel) || parallel < 1) {
    throw new Error("--parallel must be a whole number, 1 or more");
  }
  return { images: [...new Set(values.image)], suites: values.only, parallel };
}

async function testOn(image: string, suites: readonly string[]): Promise<Outcome> {
  const folder = await mkdtemp(join(tmpdir(), "holdfast-matrix-"));
  try {
    const reportFile = join(folder, "report.json");
    const startedAt = performance.now();
    const { output, exitCode } = await runVitest(image, suites, reportFile);
    const seconds = (performance.now() - startedAt) / 1_000;
    const { numPassedTests: passed, numFailedTests: failed } = await readReport(reportFile);
    const version = /^Redis: (\S+ \S+) from the image (\S+),/m.exec(output);
    const isGood = exitCode === 0 && version?.[2] === image && passed > 0 && failed === 0;
    return { image, version: version?.[1], passed, failed, seconds, isGood, output };
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function runVitest(
  image: string,
  suites: readonly string[],
  reportFile: string,
): Promise<{ output: string; exitCode: number | null }> {
  const folders = suites.map((suite) => `test/${suite}/`);
  const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${reportFile}`];
  const vitest = join(root, "node_modules/vitest/vitest.mjs");
  const { REDIS_URL: _, ...environment } = process.env;
  const child = spawn(process.execPath, [vitest, "run", ...folders, ...reporters], {
    cwd: root,
    env: { ...environment, HOLDFAST_TEST_REDIS_IMAGE: image, NO_COLOR: "1" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      output += text;
    });
  }
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (exitCode) => resolve({ output, exitCode }));
  });
}

async function readReport(file: string): Promise<{
  readonly numPassedTests: number;
  readonly numFailedTests: number;
}> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch {
    return { numPassedTests: 0, numFailedTests: 0 }; // vitest ended before it ran a test
  }
  return JSON.parse(text) as { numPassedTests: number; numFailedTests: number };
}

function line({ image, version, passed, failed, seconds, isGood }: Outcome): string {
  const mark = isGood ? "ok    " : "FAILED";
  const server = (version ?? "no server").padEnd(14);
  return `${mark} ${image.padEnd(16)} ${server} ${passed} passed, ${failed} failed, ${seconds.toFixed(0)} s`;
}

function table(outcomes: readonly Outcome[], suites: readonly string[]): string {
  const date = new Date().toISOString().slice(0, 10);
  return [
    `| Server | Image | Tests (${suites.join(", ")}) | Date |`,
    "|---|---|---|---|",
    ...outcomes.map(({ image, version, passed, failed }) => {
      const server = (version ?? "none came up").replace(/^[a-z]/, (letter) =>
        letter.toUpperCase(),
      );
      return `| ${server} | \`${image}\` | ${passed} passed, ${failed} failed | ${date} |`;
    }),
  ].join("\n");
}

const { images, suites, parallel } = readOptions(process.argv.slice(2));
console.log(`${suites.join(" and ")} tests on ${images.join(", ")}, ${parallel} at a time`);
const limit = pLimit(parallel);
const outcomes = await Promise.all(
  images.map((image) =>
    limit(async () => {
      const outcome = await testOn(image, suites);
      console.log(outcome.isGood ? line(outcome) : `${outcome.output}\n${line(outcome)}`);
      return outcome;
    }),
  ),
);
console.log(`\n${table(outcomes, suites)}`);
process.exitCode = outcomes.every(({ isGood }) => isGood) ? 0 : 1;
