/** A process of the test's own, which tells what it does by messages of several kinds. */
import { fork } from "node:child_process";
import { once } from "node:events";
import { onTestFinished } from "vitest";
import { waitFor } from "../wait-for.ts";

type Of<Message, Kind> = Extract<Message, { readonly kind: Kind }>;

export interface Child<Message extends { readonly kind: string }> {
  /** What it has told so far, of one kind. */
  readonly told: <K extends Message["kind"]>(kind: K) => Of<Message, K>[];
  /** Resolves once it has told `count` messages of the kind, also if it ends then. */
  readonly tells: <K extends Message["kind"]>(kind: K, count?: number) => Promise<Of<Message, K>[]>;
  readonly send: (message: string) => void;
  readonly signal: (name: "SIGKILL" | "SIGSTOP" | "SIGCONT" | "SIGTERM") => void;
  /** Its exit code and the signal that ended it. */
  readonly ended: Promise<unknown>;
}

/** Starts a TypeScript program with the task as its argument. It is gone after the test in any case. */
export function startChild<Message extends { readonly kind: string }>(
  program: string,
  task: object,
): Child<Message> {
  const child = fork(program, [JSON.stringify(task)], { execArgv: ["--import", "tsx"] });
  const messages: Message[] = [];
  child.on("message", (message) => messages.push(message as Message));
  const ended = once(child, "exit");
  onTestFinished(async () => {
    child.kill("SIGKILL");
    await ended;
  });
  const told: Child<Message>["told"] = (kind) =>
    messages.filter((message): message is Of<Message, typeof kind> => message.kind === kind);
  return {
    told,
    tells: async (kind, count = 1) => {
      const what = `${count} × ${kind} from the process`;
      await waitFor(() => told(kind).length >= count, { what });
      return told(kind);
    },
    send: (message) => void child.send(message),
    signal: (name) => void child.kill(name),
    ended,
  };
}
