/** Reads a line of MONITOR: `1700000000.123456 [0 127.0.0.1:50000] "ECHO" "text"`. */

export interface ShownCommand {
  /** By the server's clock. */
  readonly atMs: number;
  /** The address of a client's connection, or `lua` for what a script calls. */
  readonly source: string;
  /** As sent: a character for each byte. */
  readonly args: readonly string[];
}

const escaped: Readonly<Record<string, string>> = {
  n: "\n",
  r: "\r",
  t: "\t",
  a: "\u0007",
  b: "\b",
};

/** @throws Error if it is no such line */
export function parseMonitorLine(line: string): ShownCommand {
  const head = /^(\d+\.\d+) \[\d+ (.+?)\] (?=")/.exec(line);
  const [all, seconds, source] = head ?? [];
  if (all === undefined || source === undefined) {
    throw new Error(`not a line of MONITOR: ${line.slice(0, 100)}`);
  }
  return { atMs: Number(seconds) * 1_000, source, args: readArguments(line, all.length) };
}

/** Without a regular expression, since an argument can be megabytes long. */
function readArguments(line: string, from: number): string[] {
  const args: string[] = [];
  for (let start = line.indexOf('"', from); start !== -1;) {
    let end = start + 1;
    while (end < line.length && line[end] !== '"') {
      end += line[end] === "\\" ? 2 : 1;
    }
    if (end >= line.length) {
      throw new Error(`not a whole line of MONITOR: ${line.slice(0, 100)}`);
    }
    args.push(unescape(line.slice(start + 1, end)));
    start = line.indexOf('"', end + 1);
  }
  return args;
}

function unescape(text: string): string {
  return text.replaceAll(
    /\\(?:x([\da-f]{2})|(.))/g,
    (_, byte: string | undefined, character: string) =>
      byte === undefined
        ? (escaped[character] ?? character)
        : String.fromCharCode(Number.parseInt(byte, 16)),
  );
}
