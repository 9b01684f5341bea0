/**
 * Do the tests notice when a guard of a script is broken? Breaks them one at a time and says which
 * tests turn red. Ends with an error if one stays green. Words given are looked for in the mutants'
 * names: `npm run mutants -- claim.lua` tries those of one file.
 */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import pLimit from "p-limit";
import { allMutants } from "./mutants/all.ts";
import { breakScripts, intactScripts } from "./mutants/break-script.ts";
import type { Mutant } from "./mutants/mutant.ts";
import { redFiles, type Stage } from "./mutants/run-tests.ts";
import { startServer } from "./redis/start-server.ts";

const AT_A_TIME = 2;
const MODEL_SEQUENCES = 250;
const scriptTests = "test/integration/scripts";

/** All but the one that compares the scripts with their files. */
function scriptTestFiles(): string[] {
  const files = readdirSync(join(import.meta.dirname, "..", scriptTests));
  return files.filter((file) => file.endsWith(".test.ts") && file !== "generated.test.ts");
}

/** Which tests, in which order: those that are likely to notice come first. */
function stagesFor(names: readonly string[], { isAboutFailing }: Mutant): Stage[] {
  const files = scriptTestFiles();
  const own = files.filter((file) => names.some((name) => isTestOf(file, name)));
  const near: Stage = { files: own.map(inScriptTests), sequences: 0 };
  const failing: Stage = {
    files: ["atomicity.test.ts", "numbers.test.ts", "keys.test.ts"].map(inScriptTests),
    sequences: 0,
    testNames: names.join("|"),
  };
  const model: Stage = { files: ["test/model"], sequences: MODEL_SEQUENCES };
  const rest: Stage = { files: files.map(inScriptTests), sequences: 0 };
  return isAboutFailing ? [failing, near, model, rest] : [near, failing, model, rest];
}

function isTestOf(file: string, script: string): boolean {
  return file === `${script}.test.ts` || file.startsWith(`${script}-`);
}

function inScriptTests(file: string): string {
  return `${scriptTests}/${file}`;
}

async function verdictOn(file: string, mutant: Mutant, redisUrl: string): Promise<string> {
  const { module, names } = breakScripts(file, mutant);
  const stages = stagesFor(names, mutant);
  // What cannot be told apart is not looked for in all tests.
  for (const stage of mutant.isEquivalent === undefined ? stages : stages.slice(0, 3)) {
    const red = await redFiles({ module, redisUrl, ...stage });
    if (red.length > 0) {
      return `killed by ${red.map((name) => name.replace(/^test\/(integration\/)?/, "")).join(", ")}`;
    }
  }
  return mutant.isEquivalent === undefined ? "SURVIVED" : `equivalent: ${mutant.isEquivalent}`;
}

/** Tests that are red anyway would seem to kill every mutant. */
async function expectGreen(redisUrl: string): Promise<void> {
  const files = [...scriptTestFiles().map(inScriptTests), "test/model"];
  const red = await redFiles({
    module: intactScripts(),
    redisUrl,
    files,
    sequences: MODEL_SEQUENCES,
  });
  if (red.length > 0) {
    throw new Error(`red without any mutant: ${red.join(", ")}`);
  }
}

const words = process.argv.slice(2);
const chosen = allMutants.filter(({ file, mutant }) =>
  words.every((word) => `${file}: ${mutant.name}`.includes(word)),
);
const server = await startServer();
const limit = pLimit(AT_A_TIME);
let survivors = 0;
try {
  await expectGreen(server.url);
  const startedAt = performance.now();
  await limit.map(chosen, async ({ file, mutant }) => {
    const verdict = await verdictOn(file, mutant, server.url);
    if (verdict === "SURVIVED") survivors += 1;
    console.log(`${file}: ${mutant.name} | ${verdict}`);
  });
  const seconds = Math.round((performance.now() - startedAt) / 1_000);
  console.log(`${chosen.length} mutants, ${survivors} survived, ${seconds} s`);
} finally {
  limit.clearQueue();
  await server.stop();
}
process.exitCode = survivors > 0 || chosen.length === 0 ? 1 : 0;
