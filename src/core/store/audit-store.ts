/** The scripts of the audit, on the keys of one shard of a queue. Works on any data: it checks no version. */
import * as scripts from "../../scripts/generated.ts";
import { MEND_MAX_LEASES } from "../model/limits.ts";
import type { Connection } from "./connection.ts";
import type { Suspect, VerifyPage } from "./messages.ts";
import { flatReply, latin1, readItems, text } from "./replies.ts";
import type { ScriptRunner } from "./script-runner.ts";

export class AuditStore {
  readonly #connection: Connection;
  readonly #runner: ScriptRunner;

  constructor(connection: Connection, runner: ScriptRunner) {
    this.#connection = connection;
    this.#runner = runner;
  }

  /** Changes whenever the connection closes or the keys move: after that, the server may be another. */
  get serverEpoch(): unknown {
    return `${this.#connection.epoch} ${this.#runner.home ?? ""}`;
  }

  async verifyPage(part: string, cursor: string, pageSize: number): Promise<VerifyPage> {
    const args = { part, cursor, pageSize };
    const options = { asBuffers: true };
    const reply = flatReply("verify", await this.#runner.run(scripts.verify, args, options), 4, 2);
    return {
      cursor: text(reply[0]),
      entries: Number(reply[1]),
      bytes: Number(reply[2]),
      token: text(reply[3]),
      findings: readItems(reply, 4, 2, (at) => ({
        kind: text(reply[at]),
        name: latin1(reply[at + 1]),
      })),
    };
  }

  /**
   * Per suspect: "sound", or the breach that was found, and mended if asked for; and where it was found.
   *
   * @param scanToken the token counter before the scan that found the leases; empty if there was none
   */
  async mend(
    suspects: readonly Suspect[],
    mends: boolean,
    scanToken: string,
  ): Promise<{ kind: string; where: string }[]> {
    const args = { mends: mends ? 1 : 0, maxLeases: MEND_MAX_LEASES, scanToken };
    const list = suspects.flatMap(({ id, tokens }) => [Buffer.from(id, "latin1"), tokens]);
    const reply = flatReply("mend", await this.#runner.run(scripts.mend, args, { list }), 0, 2);
    return readItems(reply, 0, 2, (at) => ({ kind: text(reply[at]), where: text(reply[at + 1]) }));
  }

  /** What is wrong with the queue beside its jobs, in words, and mended if asked for. */
  async mendQueue(mends: boolean): Promise<string[]> {
    const args = { mends: mends ? 1 : 0 };
    return flatReply("mend-queue", await this.#runner.run(scripts.mendQueue, args), 0).map(text);
  }
}
