/** Columns of text that stand under each other. */

interface Column {
  readonly align: "left" | "right";
  /** Spaces in front of it. */
  readonly gap?: number;
}

/** Cells may be missing at the end of a line; a string is a line of its own, of any width. */
export function textTable(
  lines: readonly (readonly string[] | string)[],
  columns: readonly Column[],
): string {
  const rows = lines.filter((line) => typeof line !== "string");
  const widths = columns.map((_, index) =>
    Math.max(0, ...rows.map((row) => row[index]?.length ?? 0)),
  );
  const textOf = (row: readonly string[]) =>
    columns
      .map(({ align, gap = 2 }, index) => {
        const cell = row[index] ?? "";
        const width = widths[index] ?? 0;
        const space = index === 0 ? "" : " ".repeat(gap);
        return space + (align === "right" ? cell.padStart(width) : cell.padEnd(width));
      })
      .join("");
  return lines.map((line) => (typeof line === "string" ? line : textOf(line)).trimEnd()).join("\n");
}
