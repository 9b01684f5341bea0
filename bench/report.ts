/**
 * Writes docs/benchmarks.md and its charts from the files of `bench/results`, or from those that are named.
 * `--check` writes nothing and fails where the page is not what the files give.
 */
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join, relative } from "node:path";
import { parseArgs } from "node:util";
import { renderPage } from "./page/page.ts";
import { readKeptResults, readResult } from "./support/result-files.ts";

const root = join(import.meta.dirname, "..");
const pageFile = join(root, "docs/benchmarks.md");
const chartFolder = join(root, "docs/benchmarks");
const templateFile = join(import.meta.dirname, "page/template.md");

const print = (line: string) => void process.stdout.write(`${line}\n`);

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { check: { type: "boolean", default: false } },
  });
  const results =
    positionals.length > 0
      ? await Promise.all(positionals.map(readResult))
      : await readKeptResults();
  if (results.length === 0 && !values.check) {
    throw new Error("bench/results has no file to report on: npm run bench writes one");
  }
  const files = results.length === 0 ? new Map<string, string>() : await filesOf(results);
  await (values.check ? check(files) : write(files));
}

/** Path and content. */
async function filesOf(results: Parameters<typeof renderPage>[1]): Promise<Map<string, string>> {
  const { text, charts } = renderPage(await readFile(templateFile, "utf8"), results);
  const pictures = charts.map(({ file, svg }) => [join(chartFolder, file), svg] as const);
  return new Map([[pageFile, text], ...pictures]);
}

async function write(files: ReadonlyMap<string, string>): Promise<void> {
  await mkdir(chartFolder, { recursive: true });
  await Promise.all((await existing()).filter((path) => !files.has(path)).map((path) => rm(path)));
  await Promise.all([...files].map(([path, content]) => writeFile(path, content)));
  print(`Written: ${relative(root, pageFile)} and ${files.size - 1} charts`);
}

async function check(files: ReadonlyMap<string, string>): Promise<void> {
  const paths = new Set([...files.keys(), ...(await existing())]);
  const wrong: string[] = [];
  for (const path of paths) {
    const content = existsSync(path) ? await readFile(path, "utf8") : undefined;
    if (content !== files.get(path)) {
      wrong.push(relative(root, path));
    }
  }
  if (wrong.length > 0) {
    throw new Error(`not what bench/results gives: ${wrong.join(", ")}; run npm run bench:report`);
  }
  print(`${paths.size} files of the benchmarks page are up to date`);
}

/** What an earlier report has left. */
async function existing(): Promise<string[]> {
  const charts = existsSync(chartFolder) ? await readdir(chartFolder) : [];
  const paths = charts
    .filter((name) => name.endsWith(".svg"))
    .map((name) => join(chartFolder, name));
  return existsSync(pageFile) ? [pageFile, ...paths] : paths;
}

try {
  await main();
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
