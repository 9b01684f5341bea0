/**
 * A connection that a server shows its commands on. Not one of ioredis, which takes a command for a reply that nobody
 * asked for where the server sends it in one piece with the answer to MONITOR.
 */
import { connect, type Socket } from "node:net";
import { createInterface } from "node:readline";
import { connect as connectSecurely } from "node:tls";
import type { RedisOptions } from "ioredis";
import { parseMonitorLine, type ShownCommand } from "./monitor-line.ts";

const openTimeoutMs = 10_000;

export class MonitorConnection {
  /** Rejects when the connection ends, for whatever reason. */
  readonly ended: Promise<never>;
  readonly #socket: Socket;

  /**
   * To be closed.
   *
   * @param options of a client of the same server: where it is, and who asks
   * @throws Error if the server cannot be reached or refuses
   */
  static async open(
    options: RedisOptions,
    onCommand: (command: ShownCommand) => void,
  ): Promise<MonitorConnection> {
    const connection = new MonitorConnection(socketOf(options), addressOf(options));
    const opened = connection.#ask([...authentication(options), ["MONITOR"]], onCommand);
    await Promise.race([opened, connection.ended]);
    return connection;
  }

  private constructor(socket: Socket, address: string) {
    this.#socket = socket;
    this.ended = new Promise((_, reject) => {
      let cause: Error | undefined;
      socket.once("error", (error) => {
        cause = error;
      });
      socket.once("close", () => {
        const reason = cause?.message ?? "it was closed, here or by the server";
        const advice = "what was counted is not all: count again, on a server that stays up";
        const text = `the connection of the monitor to ${address} ended (${reason}); ${advice}`;
        reject(new Error(text, { cause }));
      });
    });
    // Whoever waits learns of it; where nobody waits, nothing is missed.
    this.ended.catch(() => undefined);
  }

  close(): void {
    this.#socket.destroy();
  }

  /** Resolves when all requests are answered; from then on each line is a command. */
  #ask(
    requests: readonly (readonly string[])[],
    onCommand: (command: ShownCommand) => void,
  ): Promise<void> {
    const socket = this.#socket;
    socket.setTimeout(openTimeoutMs, () => {
      socket.destroy(new Error(`no answer to MONITOR in ${openTimeoutMs} ms`));
    });
    socket.write(requests.map(encode).join(""));
    return new Promise((resolve) => {
      let unanswered = requests.length;
      // Nothing in a line is ever anything but ASCII: the server escapes the rest.
      const input = socket.setEncoding("latin1");
      // However late the second byte of a line's end comes, it begins no other line.
      const lines = createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY });
      lines.on("error", () => undefined); // the socket's own, which `ended` tells of
      lines.on("line", (line) => {
        if (unanswered === 0) {
          this.#show(line, onCommand);
        } else if (line.startsWith("+")) {
          unanswered -= 1;
          if (unanswered === 0) {
            socket.setTimeout(0);
            resolve();
          }
        } else {
          socket.destroy(new Error(`the server refused: ${line.slice(1)}`));
        }
      });
    });
  }

  #show(line: string, onCommand: (command: ShownCommand) => void): void {
    try {
      onCommand(parseMonitorLine(line.slice(1)));
    } catch (error) {
      this.#socket.destroy(error as Error); // a count that is not all is none
    }
  }
}

function socketOf({ tls, path, host = "127.0.0.1", port = 6379 }: RedisOptions): Socket {
  const place = path ? { path } : { host, port };
  return tls ? connectSecurely({ ...place, ...tls }) : connect(place);
}

function addressOf({ path, host, port }: RedisOptions): string {
  return path ?? `${host}:${port}`;
}

function authentication({ username, password }: RedisOptions): string[][] {
  return password ? [["AUTH", ...(username ? [username] : []), password]] : [];
}

function encode(request: readonly string[]): string {
  const args = request.map((arg) => `$${Buffer.byteLength(arg)}\r\n${arg}\r\n`);
  return `*${request.length}\r\n${args.join("")}`;
}
