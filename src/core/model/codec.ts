/** Payloads to stored bytes and back, and the check against a schema. */
import type { StandardSchemaV1 } from "@standard-schema/spec";
import { exceedsBytes } from "./checks.ts";
import { describeError, PayloadError } from "./errors.ts";

/** Encodes to text. `binary` is left out or false. */
export interface TextCodec {
  readonly binary?: false;
  encode(data: unknown): string;
  decode(payload: string): unknown;
}

/** Encodes to bytes, such as a compressed, encrypted or MessagePack form. */
export interface BinaryCodec {
  readonly binary: true;
  encode(data: unknown): Uint8Array;
  decode(payload: Uint8Array): unknown;
}

/**
 * How payloads become text or bytes and back. What throws here rejects an enqueue; a stored job that
 * cannot be decoded is buried.
 */
export type Codec = TextCodec | BinaryCodec;

/** The default: JSON, with its rules; what JSON has no form for at the top level is refused. */
export const jsonCodec: TextCodec = {
  encode(data) {
    const text = JSON.stringify(data) as string | undefined;
    if (text === undefined) {
      throw new TypeError(`JSON has no form for ${typeof data}`);
    }
    return text;
  },
  decode: (payload) => JSON.parse(payload) as unknown,
};

/** @throws PayloadError if the codec fails, or the result has over `maxBytes` bytes */
export function encodePayload(codec: Codec, data: unknown, maxBytes: number): string | Uint8Array {
  let payload: string | Uint8Array;
  try {
    payload = codec.encode(data);
  } catch (cause) {
    throw new PayloadError(`the payload cannot be encoded: ${describeError(cause, 200)}`, {
      cause,
    });
  }
  if (codec.binary ? !(payload instanceof Uint8Array) : typeof payload !== "string") {
    const expected = codec.binary ? "a Uint8Array" : "a string";
    throw new PayloadError(
      `the codec's encode must return ${expected}, but returned ${typeof payload}`,
    );
  }
  if (
    typeof payload === "string" ? exceedsBytes(payload, maxBytes) : payload.byteLength > maxBytes
  ) {
    throw new PayloadError(
      `the payload has ${Buffer.byteLength(payload)} bytes, over maxPayloadBytes (${maxBytes}); ` +
        "store the body elsewhere and enqueue its address, or raise maxPayloadBytes",
    );
  }
  return payload;
}

/** @throws PayloadError if the codec fails */
export function decodePayload(codec: Codec, payload: string | Uint8Array): unknown {
  try {
    return codec.binary ? codec.decode(payload as Uint8Array) : codec.decode(payload as string);
  } catch (cause) {
    throw new PayloadError(`the payload cannot be decoded: ${describeError(cause, 200)}`, {
      cause,
    });
  }
}

/** The schema's output for the data. @throws PayloadError that lists what is wrong */
export async function validatePayload<Input, Output>(
  schema: StandardSchemaV1<Input, Output>,
  data: unknown,
): Promise<Output> {
  const result = await schema["~standard"].validate(data);
  if (result.issues) {
    const issues = result.issues.slice(0, 5).map((issue) => {
      const path = issue.path
        ?.map((part) => String(typeof part === "object" ? part.key : part))
        .join(".");
      return path ? `${path}: ${issue.message}` : issue.message;
    });
    throw new PayloadError(`the payload does not match the queue's schema: ${issues.join("; ")}`);
  }
  return result.value;
}
