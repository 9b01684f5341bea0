/** What scripts answer, decoded. Scripts answer integers, strings and flat arrays only. */
import { HoldfastError } from "../model/errors.ts";

/** A reply that no script gives: a bug of holdfast, or something between us and Redis. */
class UnexpectedReplyError extends HoldfastError {
  readonly code = "REDIS_REFUSED";
  readonly retryable = false;
}

export type Reply = string | number | Buffer | null;

export function flatReply(script: string, reply: unknown, minLength: number, stride = 1): Reply[] {
  if (
    !Array.isArray(reply) ||
    reply.length < minLength ||
    (reply.length - minLength) % stride !== 0
  ) {
    throw new UnexpectedReplyError(
      `the script ${script} gave an answer of an unknown shape: is there a proxy that changes replies?`,
    );
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
