/** The tables of docs/command-budget.md, and what was measured in the words of its cells. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import { queueKeys } from "../../src/core/store/keys.ts";
import type { ClientCommand } from "../../tools/redis/command-monitor.ts";

const pagePath = join(import.meta.dirname, "../../docs/command-budget.md");

/** The first cells of the table below this heading. */
export function budgetRows(heading: string): string[] {
  return tableLines(heading).map((line) => line.split(" | ")[0]!.slice(2));
}

/** Fails unless the page has this row. With HOLDFAST_WRITE_BUDGET=1, writes it instead. */
export function expectBudget(heading: string, row: string, ...cells: readonly string[]): void {
  const measured = `| ${[row, ...cells].join(" | ")} |`;
  const stated = tableLines(heading).find((line) => line.startsWith(`| ${row} | `));
  if (process.env["HOLDFAST_WRITE_BUDGET"] && stated !== undefined) {
    writeFileSync(
      pagePath,
      readPage().replace(stated, () => measured),
    );
  } else {
    expect(measured).toBe(stated);
  }
}

function tableLines(heading: string): string[] {
  const section = readPage()
    .split(/^## /m)
    .find((text) => text.startsWith(`${heading}\n`));
  return (section?.split("\n").filter((line) => line.startsWith("| ")) ?? []).slice(1);
}

function readPage(): string {
  return readFileSync(pagePath, "utf8");
}

/** ``1 `enqueue`, 2 `claim` ``: how many of each, in the order of the first. */
export function describeCalls(commands: readonly ClientCommand[]): string {
  const counts = [...count(commands.map(({ name }) => name))];
  return counts.map(([name, times]) => `${times} \`${name}\``).join(", ");
}

/** `3: TIME, ZRANGE delayed ×2`: what the scripts called, and on which of the queue's keys. */
export function describeInner(commands: readonly ClientCommand[], queueName: string): string {
  const parts = new Map(
    Object.entries(queueKeys("holdfast", queueName)).map(([part, key]) => [key, part]),
  );
  const names = commands.flatMap(({ inner }) =>
    inner.map(([command, ...args]) =>
      [command, ...args.flatMap((arg) => parts.get(arg) ?? [])].join(" "),
    ),
  );
  const counts = [...count(names)];
  const list = counts.map(([name, times]) => (times > 1 ? `${name} ×${times}` : name));
  return `${names.length}: ${list.join(", ")}`;
}

function count(names: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return counts;
}
