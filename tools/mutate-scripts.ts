/**
 * Do the tests notice when a guard of a script is broken? Breaks them one at a time and says which
 * tests turn red. Ends with an error if one stays green. Words given are looked for in the mutants'
 * names: `npm run mutants -- claim.lua` tries those of one file.
 */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import pLimit from "p-limit";
import { administering } from "./mutants/administering.ts";
import { auditing } from "./mutants/auditing.ts";
import { breakScripts } from "./mutants/break-script.ts";
import { claiming } from "./mutants/claiming.ts";
import { enqueueing } from "./mutants/enqueueing.ts";
import type { Mutant } from "./mutants/mutant.ts";
import { redFiles } from "./mutants/run-tests.ts";
import { settling } from "./mutants/settling.ts";
import { startServer } from "./redis/start-server.ts";

const AT_A_TIME = 2;
const scriptTests = "test/integration/scripts";
const modelTests = "test/model/letters.test.ts";

const all = [enqueueing, claiming, settling, administering, auditing]
  .flatMap((mutants) => Object.entries(mutants))
  .flatMap(([file, mutants]) => mutants.map((mutant) => ({ file, mutant })));

/** Own tests of the scripts first, with a short run of the model; then the others. */
function stagesFor(names: readonly string[]): { files: string[]; sequences: number }[] {
  const own = readdirSync(join(import.meta.dirname, "..", scriptTests))
    .filter((file) =>
      names.some((name) => file === `${name}.test.ts` || file.startsWith(`${name}-`)),
    )
    .map((file) => `${scriptTests}/${file}`);
  const halfway = [`${scriptTests}/atomicity.test.ts`, `${scriptTests}/keys.test.ts`];
  return [
    { files: [...own, modelTests], sequences: 100 },
    { files: halfway, sequences: 0 },
    { files: [scriptTests, "test/model"], sequences: 500 },
  ];
}

async function verdictOn(file: string, mutant: Mutant, redisUrl: string): Promise<string> {
  const { module, names } = breakScripts(file, mutant);
  for (const { files, sequences } of stagesFor(names)) {
    const red = await redFiles({ module, redisUrl, files, sequences });
    if (red.length > 0) {
      return `killed by ${red.map((name) => name.replace(/^test\/(integration\/)?/, "")).join(", ")}`;
    }
  }
  return mutant.isEquivalent === undefined ? "SURVIVED" : `equivalent: ${mutant.isEquivalent}`;
}

const words = process.argv.slice(2);
const chosen = all.filter(({ file, mutant }) =>
  words.every((word) => `${file}: ${mutant.name}`.includes(word)),
);
for (const { file, mutant } of all) breakScripts(file, mutant); // all texts match, before any test runs
const server = await startServer();
const limit = pLimit(AT_A_TIME);
let survivors = 0;
try {
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
