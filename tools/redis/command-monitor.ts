/** What a server is sent, as MONITOR shows it: client commands by connection, and what their scripts call. */
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import type { Redis } from "ioredis";

/** A command of a client. */
export interface ClientCommand {
  /** Address of the client's connection. */
  readonly connection: string;
  /** In capitals, unless the monitor was opened with other names. */
  readonly name: string;
  /** By the server's clock. */
  readonly atMs: number;
  /** What the script called, as sent. */
  readonly inner: readonly string[][];
}

type NameOf = (args: readonly string[]) => string;

/** It slows the server down: never measure times meanwhile. */
export class CommandMonitor {
  readonly #admin: Redis;
  readonly #adminAddress: string;
  readonly #monitor: Redis;
  readonly #nameOf: NameOf;
  #seen: (ClientCommand & { inner: string[][] })[] = [];

  /**
   * To be closed.
   *
   * @param admin whose own commands do not count
   */
  static async open(admin: Redis, nameOf: NameOf = commandName): Promise<CommandMonitor> {
    const address = / addr=(\S+)/.exec(await admin.client("INFO"))?.[1] ?? "";
    return new CommandMonitor(admin, address, await admin.monitor(), nameOf);
  }

  private constructor(admin: Redis, adminAddress: string, monitor: Redis, nameOf: NameOf) {
    this.#admin = admin;
    this.#adminAddress = adminAddress;
    this.#monitor = monitor;
    this.#nameOf = nameOf;
    monitor.on("monitor", (time: string, args: string[], source: string) => {
      this.#note(Number(time) * 1_000, args, source);
    });
  }

  close(): void {
    this.#monitor.disconnect();
  }

  /** The client commands that the server carried out while `call` ran, in order. */
  async during(call: () => Promise<unknown>): Promise<ClientCommand[]> {
    await this.#fence();
    this.#seen = [];
    await call();
    await this.#fence();
    return this.#seen;
  }

  /** Resolves once `count` commands of this name were seen by the present `during`. */
  async until(name: string, count: number): Promise<void> {
    while (this.#seen.filter((command) => command.name === name).length < count) {
      await once(this.#monitor, "monitor");
    }
  }

  /** A server's commands are shown in order: once the fence is here, so is what came before it. */
  async #fence(): Promise<void> {
    const fence = `fence-${randomUUID()}`;
    const isHere = new Promise<void>((resolve) => {
      const look = (_time: string, args: string[]) => {
        if (args[1] === fence) {
          this.#monitor.off("monitor", look);
          resolve();
        }
      };
      this.#monitor.on("monitor", look);
    });
    await this.#admin.echo(fence);
    await isHere;
  }

  #note(atMs: number, args: string[], source: string): void {
    if (source === "lua") {
      this.#seen.at(-1)?.inner.push(args); // a script is shown before what it calls
    } else if (source !== this.#adminAddress) {
      this.#seen.push({ connection: source, name: this.#nameOf(args), atMs, inner: [] });
    }
  }
}

function commandName([command = ""]: readonly string[]): string {
  return command.toUpperCase();
}
