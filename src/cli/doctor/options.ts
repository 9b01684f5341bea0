/** The command line of `holdfast doctor`. */
import { parseArgs } from "node:util";
import { resolveQueueOptions } from "../../core/model/queue-options.ts";

const MAX_VERIFY_SECONDS = 86_400;

export interface DoctorOptions {
  /** With its credentials: never to be printed. */
  readonly url: string;
  readonly prefix: string;
  /** Only this queue; undefined for all. */
  readonly queue: string | undefined;
  /** How long the audits of all queues may take together. */
  readonly verifyMs: number;
  readonly asJson: boolean;
}

export const USAGE = `Usage: holdfast doctor [options]

Looks at a Redis and the queues on it, changes nothing, and says what endangers jobs.

  --url <url>             redis:// or rediss://; default: $REDIS_URL, else redis://127.0.0.1:6379
                          Of a cluster any node will do: its primaries are all looked at.
  --prefix <prefix>       first part of every key; default: holdfast
  --queue <name>          only this queue; default: all that are found
  --verify-seconds <n>    time for auditing the queues; 0 leaves it out; default: 10
  --json                  the same as a JSON document
  --help                  this text

Exit codes: 0 no danger, 1 danger, 2 wrong usage or no connection.`;

export class UsageError extends Error {}

/**
 * @returns undefined where help was asked for
 * @throws UsageError, whose message never holds a URL
 */
export function readDoctorOptions(
  args: readonly string[],
  env: NodeJS.ProcessEnv,
): DoctorOptions | undefined {
  const values = parse(args);
  if (values.help) {
    return undefined;
  }
  const url = values.url ?? (env["REDIS_URL"] || "redis://127.0.0.1:6379");
  if (!/^rediss?:$/.test(URL.canParse(url) ? new URL(url).protocol : "")) {
    const origin = values.url === undefined ? "REDIS_URL" : "--url";
    throw new UsageError(
      `${origin} must start with redis:// or rediss:// (it is not shown: it may hold a password)`,
    );
  }
  const prefix = values.prefix ?? "holdfast";
  const verifySeconds = Number(values["verify-seconds"] ?? 10);
  if (!(verifySeconds >= 0 && verifySeconds <= MAX_VERIFY_SECONDS)) {
    throw new UsageError(`--verify-seconds must be a number from 0 to ${MAX_VERIFY_SECONDS}`);
  }
  try {
    resolveQueueOptions(values.queue ?? "any", { connection: url, prefix });
  } catch (error) {
    throw usageError(error);
  }
  return {
    url,
    prefix,
    queue: values.queue,
    verifyMs: verifySeconds * 1_000,
    asJson: values.json,
  };
}

function parse(args: readonly string[]) {
  const options = {
    url: { type: "string" },
    prefix: { type: "string" },
    queue: { type: "string" },
    "verify-seconds": { type: "string" },
    json: { type: "boolean", default: false },
    help: { type: "boolean", default: false, short: "h" },
  } as const;
  let parsed;
  try {
    parsed = parseArgs({ args: [...args], options, allowPositionals: true });
  } catch (error) {
    throw usageError(error);
  }
  if (parsed.positionals.length > 0) {
    // Not shown either: most likely it is a URL.
    throw new UsageError("every argument belongs to an option: give the URL as --url <url>");
  }
  return parsed.values;
}

function usageError(error: unknown): UsageError {
  return new UsageError(error instanceof Error ? error.message : String(error), { cause: error });
}
