/** One line that changes in a terminal; lines of their own in a log, but not too many. */
const logEveryMs = 10_000;

export class Progress {
  readonly #label: string;
  readonly #isTerminal = process.stderr.isTTY;
  #lastLogAt = Number.NEGATIVE_INFINITY;

  constructor(label: string) {
    this.#label = label;
  }

  show(text: string): void {
    const line = `${this.#label}: ${text}`;
    if (this.#isTerminal) {
      process.stderr.write(`\r\u001b[K${line}`);
    } else if (performance.now() - this.#lastLogAt >= logEveryMs) {
      this.#lastLogAt = performance.now();
      process.stderr.write(`${line}\n`);
    }
  }

  clear(): void {
    if (this.#isTerminal) {
      process.stderr.write("\r\u001b[K");
    }
  }
}
