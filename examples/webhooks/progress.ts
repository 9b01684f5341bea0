/** A line of progress: rewritten in place on a terminal, and written anew every second elsewhere. */

const TERMINAL_INTERVAL_MS = 100;
const PLAIN_INTERVAL_MS = 1_000;
const DEFAULT_COLUMNS = 80;
const ERASE_LINE = "\r\u001B[2K";

export class Progress implements Disposable {
  readonly #describe: () => string;
  readonly #isTerminal = process.stdout.isTTY;
  readonly #startedAt = performance.now();
  readonly #timer: NodeJS.Timeout;

  constructor(describe: () => string) {
    this.#describe = describe;
    this.#timer = setInterval(
      () => this.#show(),
      this.#isTerminal ? TERMINAL_INTERVAL_MS : PLAIN_INTERVAL_MS,
    );
  }

  /** Writes a line that stays. */
  note(text: string): void {
    process.stdout.write(`${this.#isTerminal ? ERASE_LINE : ""}${this.#timed(text)}\n`);
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    if (this.#isTerminal) {
      process.stdout.write(ERASE_LINE);
    }
  }

  #show(): void {
    const line = this.#timed(this.#describe());
    // A line that wraps could not be erased.
    const shown = this.#isTerminal
      ? line.slice(0, (process.stdout.columns || DEFAULT_COLUMNS) - 1)
      : line;
    process.stdout.write(this.#isTerminal ? `${ERASE_LINE}${shown}` : `${shown}\n`);
  }

  #timed(text: string): string {
    const seconds = ((performance.now() - this.#startedAt) / 1_000).toFixed(1);
    return `${seconds.padStart(5)} s  ${text}`;
  }
}
