/** What can be read of a queue's keys without taking part in it: nothing is checked, nothing written. */
import * as scripts from "../../scripts/generated.ts";
import { AuditStore } from "./audit-store.ts";
import type { Connection } from "./connection.ts";
import { queueKeys } from "./keys.ts";
import { flatReply, text } from "./replies.ts";
import { ScriptRunner } from "./script-runner.ts";
import { isMark, shardsNoted } from "./shard-note.ts";

export interface QueueReader {
  /** 0 for a queue that was never used. */
  readonly dataVersion: number;
  /** Over how many shards the queue is spread, as noted here; 0 where nothing is noted. */
  readonly shards: number;
  /** Whether that number is being changed, or was when the process that did so died. */
  readonly isMarked: boolean;
  /** Parts whose key is of a type that is not holdfast's; then nothing else can be read. */
  readonly wrongParts: readonly string[];
  readonly audit: AuditStore;
  /** The numbers in the order in which `stats.lua` lists them. */
  readStats(): Promise<number[]>;
}

/** @param tag the hash tag of the queue, or of one of its shards */
export async function readQueue(
  connection: Connection,
  prefix: string,
  tag: string,
): Promise<QueueReader> {
  const runner = new ScriptRunner(connection, queueKeys(prefix, tag));
  const [version, note, , ...wrongParts] = flatReply("open", await runner.run(scripts.open, {}), 3);
  return {
    dataVersion: Number(version),
    shards: shardsNoted(text(note)) || 0,
    isMarked: isMark(text(note)),
    wrongParts: wrongParts.map(text),
    audit: new AuditStore(connection, runner),
    readStats: async () => flatReply("stats", await runner.run(scripts.stats, {}), 15).map(Number),
  };
}
