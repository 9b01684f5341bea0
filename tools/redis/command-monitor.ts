/** What a server is sent, as MONITOR shows it: client commands by connection, and what their scripts call. */
import { randomUUID } from "node:crypto";
import type { Redis } from "ioredis";
import { MonitorConnection } from "./monitor-connection.ts";
import type { ShownCommand } from "./monitor-line.ts";

/** A command of a client. */
export interface ClientCommand {
  /** Address of the client's connection. */
  readonly connection: string;
  /** In capitals, unless the monitor was opened with other names. */
  readonly name: string;
  /** By the server's clock. */
  readonly atMs: number;
  /** What the script called, as sent: a character for each byte. */
  readonly inner: readonly (readonly string[])[];
}

interface SeenCommand extends ClientCommand {
  readonly inner: (readonly string[])[];
}

type NameOf = (args: readonly string[]) => string;

/** It slows the server down: never measure times meanwhile. */
export class CommandMonitor {
  readonly #admin: Redis;
  readonly #nameOf: NameOf;
  readonly #looks = new Set<() => void>();
  #connection!: MonitorConnection;
  #seen: SeenCommand[] = [];
  readonly #fencePrefix = `fence-${randomUUID()}-`;
  #sentFences = 0;
  #lastFence = 0;
  /** Where the last fence came from: the admin's client may connect anew. */
  #adminAddress = "";

  /**
   * To be closed.
   *
   * @param admin whose own commands do not count
   * @throws Error if the server cannot be reached or refuses
   */
  static async open(admin: Redis, nameOf: NameOf = commandName): Promise<CommandMonitor> {
    const monitor = new CommandMonitor(admin, nameOf);
    monitor.#connection = await MonitorConnection.open(admin.options, (command) =>
      monitor.#note(command),
    );
    return monitor;
  }

  private constructor(admin: Redis, nameOf: NameOf) {
    this.#admin = admin;
    this.#nameOf = nameOf;
  }

  close(): void {
    this.#connection.close();
  }

  /**
   * The client commands that the server carried out while `call` ran, in order.
   *
   * @throws Error if the connection ends before
   */
  async during(call: () => Promise<unknown>): Promise<ClientCommand[]> {
    await this.#fence();
    this.#seen = [];
    await Promise.race([call(), this.#connection.ended]);
    await this.#fence();
    return this.#seen.filter(({ connection }) => connection !== this.#adminAddress);
  }

  /**
   * Resolves once `count` commands of this name were seen by the present `during`.
   *
   * @throws Error if the connection ends before
   */
  async until(name: string, count: number): Promise<void> {
    await this.#until(() => this.#seen.filter((command) => command.name === name).length >= count);
  }

  /** A server's commands are shown in order: once the fence is here, so is what came before it. */
  async #fence(): Promise<void> {
    this.#sentFences += 1;
    const number = this.#sentFences;
    const shown = this.#until(() => this.#lastFence >= number);
    const answered = this.#admin.echo(`${this.#fencePrefix}${number}`);
    await Promise.all([shown, Promise.race([answered, this.#connection.ended])]);
  }

  async #until(isOver: () => boolean): Promise<void> {
    const over = new Promise<void>((resolve) => {
      const look = () => {
        if (isOver()) {
          this.#looks.delete(look);
          resolve();
        }
      };
      this.#looks.add(look);
      look();
    });
    await Promise.race([over, this.#connection.ended]);
  }

  #note({ atMs, source, args }: ShownCommand): void {
    if (source === "lua") {
      this.#seen.at(-1)?.inner.push(args); // a script is shown before what it calls
    } else if (args[1]?.startsWith(this.#fencePrefix)) {
      this.#lastFence = Number(args[1].slice(this.#fencePrefix.length));
      this.#adminAddress = source;
    } else if (source !== this.#adminAddress) {
      this.#seen.push({ connection: source, name: this.#nameOf(args), atMs, inner: [] });
    }
    for (const look of this.#looks) look();
  }
}

function commandName([command = ""]: readonly string[]): string {
  return command.toUpperCase();
}
