/** As much of Markdown as the page needs. */

/** The first line is the heading; columns from the given one on hold numbers. */
export function markdownTable(lines: readonly (readonly string[])[], firstNumber: number): string {
  const [heading = [], ...rows] = lines;
  const ruler = heading.map((_, column) => (column < firstNumber ? "---" : "---:"));
  return [heading, ruler, ...rows]
    .map((cells) => `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`)
    .join("\n");
}

/** Long tables are opened by who wants them. */
export function folded(summary: string, content: string): string {
  return `<details><summary>${summary}</summary>\n\n${content}\n\n</details>`;
}
