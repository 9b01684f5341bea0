import { describe, expect, test } from "vitest";
import { decodeEnvelope, encodeEnvelope } from "../../src/core/model/envelope.ts";
import { PayloadError } from "../../src/core/model/errors.ts";

const enqueuedAtMs = 1_790_000_000_123;

describe("an envelope comes back as it went in", () => {
  test.each([
    ["bare", { payload: '{"a":1}' }],
    ["an empty payload", { payload: "" }],
    ["line feeds in the payload", { payload: "one\ntwo\n" }],
    ["all options", { payload: "x", maxAttempts: 3, headers: { traceparent: "00-a\n{}", b: "ü" } }],
    [
      "hostile header names",
      { payload: "x", headers: JSON.parse('{"__proto__":"p","constructor":"c"}') },
    ],
  ])("%s", (_, parts) => {
    const envelope = { enqueuedAtMs, ...parts };
    const decoded = decodeEnvelope(encodeEnvelope(envelope));
    expect(decoded.payload).toBe(envelope.payload);
    expect(decoded.enqueuedAtMs).toBe(enqueuedAtMs);
    expect(decoded.maxAttempts).toBe("maxAttempts" in envelope ? envelope.maxAttempts : undefined);
    const headers = "headers" in envelope ? (envelope.headers as Record<string, string>) : {};
    expect(Object.entries(decoded.headers ?? {})).toEqual(Object.entries(headers));
    expect(Object.getPrototypeOf(decoded.headers)).toBeNull();
  });

  test("bytes", () => {
    const payload = Buffer.from([0, 10, 255, 123, 10]);
    const stored = encodeEnvelope({ enqueuedAtMs, payload, headers: { a: "b" } });
    const decoded = decodeEnvelope(stored);
    expect(Buffer.from(decoded.payload as Uint8Array)).toEqual(payload);
    expect(decoded.headers).toEqual({ a: "b" });
  });
});

test("a head without options is fourteen bytes", () => {
  expect(encodeEnvelope({ enqueuedAtMs, payload: "" })).toHaveLength(14);
});

test("two envelopes of the same content differ, so that a second call is no resend of the first", () => {
  const envelopes = Array.from({ length: 1_000 }, () =>
    encodeEnvelope({ enqueuedAtMs, payload: "x" }),
  );
  expect(new Set(envelopes).size).toBe(1_000);
});

describe("damage is told, never guessed around", () => {
  test.each([
    "",
    "\n",
    "no line feed",
    "2abc-0\npayload",
    "1\npayload",
    "1abc-0{\npayload",
    '1abc-0{"m":0}\npayload',
    '1abc-0{"m":"3"}\npayload',
    '1abc-0{"h":{"a":1}}\npayload',
    '1abc-0{"h":[]}\npayload',
    "1ABC-0\npayload",
    "1zzzzzzzzzzzzzzzz-0\npayload",
  ])("%j", (stored) => {
    expect(() => decodeEnvelope(stored)).toThrow(PayloadError);
  });
});
