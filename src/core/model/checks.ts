/** Checks of option values. Each returns the value, or throws an InvalidOptionError that says what is allowed. */
import { InvalidOptionError, NOT_SHOWN } from "./errors.ts";
import { MAX_DURATION_MS, MAX_ID_BYTES } from "./limits.ts";

export function checkInteger(option: string, value: unknown, min: number, max: number): number {
  if (!Number.isSafeInteger(value) || (value as number) < min || (value as number) > max) {
    throw new InvalidOptionError(option, value, `a whole number from ${min} to ${max}`);
  }
  return value as number;
}

/** Whole milliseconds. Units stand in the names of options, so the message can name them. */
export function checkDuration(
  option: string,
  value: unknown,
  min = 0,
  max = MAX_DURATION_MS,
): number {
  if (!Number.isSafeInteger(value) || (value as number) < min || (value as number) > max) {
    throw new InvalidOptionError(option, value, `whole milliseconds from ${min} to ${max}`);
  }
  return value as number;
}

export function checkBoolean(option: string, value: unknown): boolean {
  if (typeof value !== "boolean") {
    throw new InvalidOptionError(option, value, "true or false");
  }
  return value;
}

export function checkFunction<T>(option: string, value: T): T {
  if (typeof value !== "function") {
    throw new InvalidOptionError(option, value, "a function");
  }
  return value;
}

/** A non-empty string that UTF-8 can hold, of at most `maxBytes` bytes. */
export function checkText(option: string, value: unknown, maxBytes: number): string {
  if (
    typeof value !== "string" ||
    value === "" ||
    exceedsBytes(value, maxBytes) ||
    !value.isWellFormed()
  ) {
    throw new InvalidOptionError(
      option,
      value,
      `a string of 1 to ${maxBytes} bytes of valid Unicode`,
    );
  }
  return value;
}

export function checkId(value: unknown): string {
  return checkText("id", value, MAX_ID_BYTES);
}

export function checkOneOf<T extends string>(
  option: string,
  value: unknown,
  allowed: readonly T[],
): T {
  if (!allowed.includes(value as T)) {
    throw new InvalidOptionError(
      option,
      value,
      `one of ${allowed.map((item) => `"${item}"`).join(", ")}`,
    );
  }
  return value as T;
}

/** An object of options with no name that is not known: a misspelt option must not pass unseen. */
export function checkOptionNames(where: string, options: unknown, known: readonly string[]): void {
  if (typeof options !== "object" || options === null || Array.isArray(options)) {
    throw new InvalidOptionError(where, options, "an object of options");
  }
  for (const name of Object.keys(options)) {
    if (!known.includes(name)) {
      const value: unknown = (options as Record<string, unknown>)[name];
      throw new InvalidOptionError(
        `${where}.${name}`,
        typeof value === "string" ? NOT_SHOWN : value, // it may be a password in the wrong place
        `left out: the options are ${known.join(", ")}`,
      );
    }
  }
}

/** Whether the text is longer than `maxBytes` in UTF-8; a count only where the length leaves a doubt. */
export function exceedsBytes(text: string, maxBytes: number): boolean {
  return (
    text.length > maxBytes || (text.length * 3 > maxBytes && Buffer.byteLength(text) > maxBytes)
  );
}
