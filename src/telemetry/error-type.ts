/** `error.type`: what failed, as one of few words. */
import { HoldfastError } from "../core/model/errors.ts";
import { MAX_ERROR_TYPES } from "../core/model/limits.ts";

const OTHER = "_OTHER";
const seen = new Set<string>();

/**
 * A holdfast error's code, or the name of any other error. `_OTHER` for what has no plain name, and for
 * names that come after the first hundred.
 */
export function errorType(error: unknown): string {
  if (error instanceof HoldfastError) {
    return error.code;
  }
  const name = error instanceof Error ? nameOf(error) : undefined;
  if (name === undefined || (!seen.has(name) && seen.size >= MAX_ERROR_TYPES)) {
    return OTHER;
  }
  seen.add(name);
  return name;
}

function nameOf(error: Error): string | undefined {
  try {
    const { name } = error;
    return typeof name === "string" && /^[A-Za-z][\w.]{0,63}$/.test(name) ? name : undefined;
  } catch {
    return undefined; // anything can be thrown, also what throws when read
  }
}
