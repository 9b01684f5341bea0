/** The page and its charts in the folder of the documents. */
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Page } from "./page.ts";

const pageName = "benchmarks.md";
const chartFolder = "benchmarks";

/** Charts that the page no longer has are removed. */
export async function writePage(folder: string, page: Page): Promise<void> {
  const files = filesOf(page);
  await mkdir(join(folder, chartFolder), { recursive: true });
  const old = (await existing(folder)).filter((path) => !files.has(path));
  await Promise.all(old.map((path) => rm(join(folder, path))));
  await Promise.all([...files].map(([path, text]) => writeFile(join(folder, path), text)));
}

/** The files that are missing, out of date, or of no use. Without a page there should be none. */
export async function staleFiles(folder: string, page: Page | undefined): Promise<string[]> {
  const files = page ? filesOf(page) : new Map<string, string>();
  const stale: string[] = [];
  for (const path of new Set([...files.keys(), ...(await existing(folder))])) {
    const file = join(folder, path);
    const found = existsSync(file) ? await readFile(file, "utf8") : undefined;
    if (found !== files.get(path)) {
      stale.push(path);
    }
  }
  return stale;
}

/** What they hold, by their path in the folder. */
function filesOf({ text, charts }: Page): Map<string, string> {
  return new Map([
    [pageName, text],
    ...charts.map(({ file, svg }) => [join(chartFolder, file), svg] as const),
  ]);
}

async function existing(folder: string): Promise<string[]> {
  const path = join(folder, chartFolder);
  const charts = existsSync(path) ? await readdir(path) : [];
  const paths = charts
    .filter((name) => name.endsWith(".svg"))
    .map((name) => join(chartFolder, name));
  return existsSync(join(folder, pageName)) ? [pageName, ...paths] : paths;
}
