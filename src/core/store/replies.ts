/** What scripts answer, decoded. Scripts answer integers, strings and flat arrays only. */
import { UnexpectedError } from "../model/errors.ts";

export type Reply = string | number | Buffer | null;

export function unknownShape(script: string): UnexpectedError {
  return new UnexpectedError(
    `the script ${script} gave an answer of an unknown shape: is there a proxy that changes replies?`,
  );
}

/** @throws UnexpectedError unless these are `minLength` values, and maybe whole items of `stride` after them */
export function flatReply(script: string, reply: unknown, minLength: number, stride = 1): Reply[] {
  if (
    !Array.isArray(reply) ||
    reply.length < minLength ||
    (reply.length - minLength) % stride !== 0
  ) {
    throw unknownShape(script);
  }
  return reply as Reply[];
}

/** Calls `read` with the position of each item of a flat list. */
export function readItems<T>(
  reply: Reply[],
  first: number,
  stride: number,
  read: (at: number) => T,
): T[] {
  const items: T[] = [];
  for (let at = first; at < reply.length; at += stride) {
    items.push(read(at));
  }
  return items;
}

/** The text of a reply that may be a Buffer. */
export function text(value: Reply | undefined): string {
  return typeof value === "string" ? value : (value?.toString() ?? "");
}

/** The bytes of a reply, one character each. */
export function latin1(value: Reply | undefined): string {
  return Buffer.isBuffer(value) ? value.toString("latin1") : text(value);
}
