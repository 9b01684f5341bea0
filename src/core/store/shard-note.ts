/**
 * What a shard notes of the number of shards: a number, or while that is being changed, a mark that no
 * `enqueue` takes for its own number: `<number so far>:<id of the change>`.
 */
import { randomUUID } from "node:crypto";

export const NOT_NOTED = "0";

export function newMark(shardsSoFar: number): string {
  return `${shardsSoFar}:${randomUUID()}`;
}

export function isMark(note: string): boolean {
  return note.includes(":");
}

/** The number that is noted, or was until the change began; NaN for a note that is not holdfast's. */
export function shardsNoted(note: string): number {
  return Number(note.split(":", 1)[0]);
}
