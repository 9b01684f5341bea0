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
      ? toJson(diagnosis, hide)
      : hide(diagnosisText(diagnosis, terminal.hasColours));
    terminal.out(text);
    return diagnosis.severity === "danger" ? EXIT.danger : EXIT.fine;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    const message = `no diagnosis of ${new URL(options.url).host}: ${reason}`;
    terminal.err(hide(`holdfast doctor: ${message}\n${hintFor(error)}`));
    if (options.asJson) {
      terminal.out(toJson({ format: 1, severity: "unreachable", error: message }, hide));
    }
    return EXIT.failed;
  }
}

/** Hidden in each text by itself: once written as JSON, a secret may look otherwise. */
function toJson(document: object, hide: (text: string) => string): string {
  return JSON.stringify(
    document,
    (_, value: unknown) => (typeof value === "string" ? hide(value) : value),
    2,
  );
}

function hintFor(error: unknown): string {
  if (!(error instanceof HoldfastError)) {
    return "That is a fault of holdfast itself: please report it.";
  }
  const { code } = error;
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
