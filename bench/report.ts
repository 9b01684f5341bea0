/**
 * Writes docs/benchmarks.md and its charts from the files of `bench/results`, or from those that are named.
 * `--check` writes nothing and fails where the page is not what the files give.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { type Page, renderPage } from "./page/page.ts";
import { staleFiles, writePage } from "./page/page-files.ts";
import { readKeptResults, readResult } from "./support/result-files.ts";
import { scenarios } from "./support/scenarios.ts";

const docsFolder = join(import.meta.dirname, "../docs");
const templateFile = join(import.meta.dirname, "page/template.md");

const leastRepeats = 5;

const print = (line: string) => void process.stdout.write(`${line}\n`);

async function main(): Promise<void> {
  const { values, positionals: files } = parseArgs({
    allowPositionals: true,
    options: { check: { type: "boolean", default: false } },
  });
  const results =
    files.length > 0 ? await Promise.all(files.map(readResult)) : await readKeptResults();
  if (results.some(({ isQuick }) => isQuick)) {
    throw new Error("quick runs are to try the programs: their figures do not go onto the page");
  }
  if (results.some(({ repeats }) => repeats < leastRepeats)) {
    throw new Error(`figures on the page are of ${leastRepeats} repeats at least`);
  }
  const page =
    results.length > 0
      ? renderPage(await readFile(templateFile, "utf8"), results, scenarios)
      : undefined;
  if (values.check) {
    await check(page);
  } else if (page) {
    await writePage(docsFolder, page);
    print(`Written: docs/benchmarks.md and ${page.charts.length} charts`);
  } else {
    throw new Error("bench/results has no file to report on: npm run bench writes one");
  }
}

async function check(page: Page | undefined): Promise<void> {
  const stale = await staleFiles(docsFolder, page);
  if (stale.length > 0) {
    throw new Error(
      `not what the results give: docs/${stale.join(", docs/")}; run npm run bench:report`,
    );
  }
  print(page ? "docs/benchmarks.md is up to date" : "no results, so no docs/benchmarks.md");
}

try {
  await main();
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
