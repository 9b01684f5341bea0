/** Reads what the pages of docs/ say, so that tests can hold it against the code. */
import { readFileSync } from "node:fs";
import { join } from "node:path";

export function readPage(name: string): string {
  return readFileSync(join(import.meta.dirname, "../../docs", name), "utf8");
}

/** What stands under a heading of the second rank. */
export function section(page: string, heading: string): string {
  const found = page.split(/^## /m).find((text) => text.startsWith(`${heading}\n`));
  if (found === undefined) {
    throw new Error(`the page has no heading "${heading}"`);
  }
  return found;
}

/** The first table of a text: for each row, its cells by the heads of their columns. */
export function table(text: string): Record<string, string>[] {
  const [, block] = /((?:^\|.*\|\n)+)/m.exec(text) ?? [];
  const [head = [], , ...rows] = (block ?? "")
    .trimEnd()
    .split("\n")
    .map((line) =>
      line
        .slice(1, -1)
        .split("|")
        .map((cell) => cell.trim()),
    );
  if (rows.length === 0) {
    throw new Error("there is no table");
  }
  return rows.map((row) => Object.fromEntries(head.map((name, index) => [name, row[index] ?? ""])));
}

/** What stands in backquotes, outside of fenced blocks. */
export function codeIn(text: string): string[] {
  const prose = text.replaceAll(/^ *```.*?^ *```$/gms, "");
  return [...prose.matchAll(/`([^`]+)`/g)].map(([, code = ""]) => code);
}

/** The fenced blocks of a language, in order. */
export function blocks(text: string, language: string): string[] {
  const fence = new RegExp(`^ *\`\`\`${language}\\n(.*?)^ *\`\`\`$`, "gms");
  return [...text.matchAll(fence)].map(([, code = ""]) => code);
}
