/** A server's append-only file, as a crash in the middle of a write leaves it. */
import type { RedisServer } from "../../tools/redis/server.ts";

const files = "appendonlydir/*.incr.aof";

export interface LoggedCommand {
  readonly words: readonly string[];
  /** Where it ends in the file. */
  readonly end: number;
}

/**
 * Kills the server as if it had been about to write the last transaction for which `isMeant` says yes, and
 * starts it again: of that one the file has so many commands and a part of the next, and nothing after it.
 *
 * @param commands at least 1; more than the transaction has stands for all but its EXEC
 */
export async function tearTransaction(
  server: RedisServer,
  commands: number,
  isMeant: (transaction: readonly LoggedCommand["words"][]) => boolean,
): Promise<void> {
  await server.kill("SIGSTOP");
  const transaction = transactionsOf(await readCommands(server)).findLast((inner) =>
    isMeant(inner.map(({ words }) => words)),
  );
  if (!transaction) {
    throw new Error("the append-only file has no such transaction");
  }
  const last = transaction[Math.min(commands, transaction.length) - 1]!;
  await server.shell(`truncate -s ${last.end + "*1".length} ${files}`);
  await server.kill("SIGKILL");
  await server.restart();
}

/** All that the server has written. */
export async function readCommands(server: RedisServer): Promise<LoggedCommand[]> {
  return [...commandsOf(Buffer.from(await server.shell(`cat ${files} | base64`), "base64"))];
}

/** What stands between each MULTI and its EXEC. */
function transactionsOf(commands: readonly LoggedCommand[]): LoggedCommand[][] {
  const transactions: LoggedCommand[][] = [];
  let open: LoggedCommand[] | undefined;
  for (const command of commands) {
    const name = command.words[0]!.toUpperCase();
    if (name === "MULTI") {
      open = [];
    } else if (name === "EXEC" && open) {
      transactions.push(open);
      open = undefined;
    } else {
      open?.push(command);
    }
  }
  return transactions;
}

/** Arrays of bulk strings, one after another (https://redis.io/docs/latest/develop/reference/protocol-spec). */
function* commandsOf(log: Buffer): Generator<LoggedCommand> {
  let at = 0;
  const readNumber = () => {
    const end = log.indexOf("\r\n", at);
    const number = Number(log.toString("latin1", at + 1, end));
    at = end + 2;
    return number;
  };
  while (at < log.length) {
    const words = Array.from({ length: readNumber() }, () => {
      const length = readNumber();
      const word = log.toString("latin1", at, at + length);
      at += length + 2;
      return word;
    });
    yield { words, end: at };
  }
}
