/** `error.type`: what failed, as one of few words. */
import { HoldfastError } from "../core/model/errors.ts";
import { MAX_ERROR_TYPES } from "../core/model/limits.ts";
import { contain } from "./containment.ts";

const OTHER = "_OTHER";
const seen = new Set<string>();

/**
 * A holdfast error's code, or the name of any other error. `_OTHER` for what has no plain name, and for
 * names that come after the first hundred.
 */
export function errorType(error: unknown): string {
  // Anything can be thrown, also what throws when it is read.
  return contain("an error's name", () => typeOf(error)) ?? OTHER;
}

function typeOf(error: unknown): string | undefined {
  if (error instanceof HoldfastError) {
    return error.code;
  }
  const name: unknown = error instanceof Error ? error.name : undefined;
  return typeof name === "string" && /^[A-Za-z][\w.]{0,63}$/.test(name) && isAmongFirst(name)
    ? name
    : undefined;
}

function isAmongFirst(name: string): boolean {
  if (seen.size < MAX_ERROR_TYPES) seen.add(name);
  return seen.has(name);
}
