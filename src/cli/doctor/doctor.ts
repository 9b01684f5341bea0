/** `holdfast doctor`: looks at a Redis and its queues, and says what endangers jobs. */
import { unescape } from "node:querystring";
import { HoldfastError } from "../../core/model/errors.ts";
import { diagnose } from "./diagnosis.ts";
import { gatherFacts } from "./facts.ts";
import { readDoctorOptions, USAGE, UsageError } from "./options.ts";
import { diagnosisText } from "./text.ts";

export interface Terminal {
  readonly env: NodeJS.ProcessEnv;
  readonly hasColours: boolean;
  out(text: string): void;
  err(text: string): void;
}

/** As documented in the usage. */
const EXIT = { fine: 0, danger: 1, failed: 2 } as const;

/** @returns the exit code */
export async function doctor(args: readonly string[], terminal: Terminal): Promise<number> {
  let options;
  try {
    options = readDoctorOptions(args, terminal.env);
  } catch (error) {
    if (!(error instanceof UsageError)) {
      throw error;
    }
    terminal.err(`holdfast doctor: ${error.message}\nholdfast doctor --help tells more.`);
    return EXIT.failed;
  }
  if (options === undefined) {
    terminal.out(USAGE);
    return EXIT.fine;
  }
  const hide = secretHider(options.url);
  try {
    const facts = await gatherFacts(options);
    const diagnosis = diagnose(facts, options.prefix, options.queue);
    const text = options.asJson
      ? JSON.stringify(diagnosis, undefined, 2)
      : diagnosisText(diagnosis, terminal.hasColours);
    terminal.out(hide(text));
    return diagnosis.severity === "danger" ? EXIT.danger : EXIT.fine;
  } catch (error) {
    if (!(error instanceof HoldfastError)) {
      throw error;
    }
    const message = `no diagnosis of ${new URL(options.url).host}: ${error.message}`;
    terminal.err(hide(`holdfast doctor: ${message}\n${hintFor(error)}`));
    if (options.asJson) {
      terminal.out(hide(JSON.stringify({ format: 1, severity: "unreachable", error: message })));
    }
    return EXIT.failed;
  }
}

function hintFor({ code }: HoldfastError): string {
  return code === "REDIS_REFUSED"
    ? "Check user and password in the URL, and what the server allows this user."
    : "Check that a Redis listens there, and redis:// against rediss://, which is for TLS.";
}

/** Errors and replies should hold no password; this makes sure, whatever a server answers. */
function secretHider(url: string): (text: string) => string {
  const { password } = new URL(url);
  const secrets = [password, unescape(password)].filter((secret) => secret !== "");
  return (text) => secrets.reduce((safe, secret) => safe.replaceAll(secret, "***"), text);
}
