/** Whatever bytes stand in Redis: a delivery, or a burial with a reason. Never a throw, never a polluted prototype. */
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type OpenedDelivery, openDelivery } from "../../src/core/engine/delivery.ts";
import { type BinaryCodec, jsonCodec } from "../../src/core/model/codec.ts";
import { decodeEnvelope, encodeEnvelope } from "../../src/core/model/envelope.ts";
import { PayloadError } from "../../src/core/model/errors.ts";
import { MAX_ERROR_LENGTH } from "../../src/core/model/limits.ts";
import { BROKEN_ENVELOPES, ODD_ENVELOPES } from "../helpers/hostile-envelopes.ts";

const binaryJson: BinaryCodec = {
  binary: true,
  encode: (data) => Buffer.from(JSON.stringify(data)),
  decode: (bytes) => JSON.parse(Buffer.from(bytes).toString()) as unknown,
};

const prototypes = [Object.prototype, Array.prototype, String.prototype, Function.prototype];
const before = JSON.stringify(prototypes.map(membersOf));

function membersOf(prototype: object): string[] {
  return Reflect.ownKeys(prototype).map(String);
}

function expectUntouchedPrototypes(): void {
  expect(JSON.stringify(prototypes.map(membersOf))).toBe(before);
}

const bytesOf = (stored: string | Buffer) => Buffer.from(stored);

/** As a worker opens it: from a text for a text codec, from bytes for a binary one. */
function openBoth(stored: Buffer): OpenedDelivery[] {
  const claimed = {
    id: "id",
    dueAtMs: 0,
    claimedAtMs: 0,
    failedAttempts: 0,
    deliveryReason: "first" as const,
  };
  const rules = [
    { envelope: stored.toString(), codec: jsonCodec },
    { envelope: stored, codec: binaryJson },
  ];
  return rules.map(
    ({ envelope, codec }) =>
      openDelivery({ ...claimed, envelope }, { codec, schema: undefined }, 10) as OpenedDelivery,
  );
}

function expectSane(opened: OpenedDelivery): void {
  expectUntouchedPrototypes();
  if ("kind" in opened) {
    expect(opened).toMatchObject({ kind: "bury", counts: false });
    expect(opened.reason).toMatch(/^PayloadError: /);
    expect(opened.reason.length).toBeLessThanOrEqual(MAX_ERROR_LENGTH);
    return;
  }
  const { enqueuedAtMs, maxAttempts, headers } = opened.envelope;
  expect(Number.isSafeInteger(enqueuedAtMs) && enqueuedAtMs >= 0).toBe(true);
  expect(maxAttempts === undefined || (Number.isSafeInteger(maxAttempts) && maxAttempts > 0)).toBe(
    true,
  );
  expect(Object.getPrototypeOf(headers)).toBeNull();
  expect(Object.values(headers!).every((value) => typeof value === "string")).toBe(true);
}

test.each(Object.entries(BROKEN_ENVELOPES))("%s is buried", (_, stored) => {
  for (const opened of openBoth(bytesOf(stored))) {
    expect(opened).toMatchObject({ kind: "bury", reason: expect.stringContaining("envelope") });
    expectSane(opened);
  }
});

test.each(Object.entries(ODD_ENVELOPES))("%s is delivered", (_, stored) => {
  for (const opened of openBoth(bytesOf(stored))) {
    expect(opened).not.toHaveProperty("kind");
    expectSane(opened);
  }
});

test("an option of the prototype is not taken for one's own", () => {
  const { maxAttempts, headers } = decodeEnvelope('1abc-0{"__proto__":{"m":1,"h":{"a":"b"}}}\n');
  expect([maxAttempts, headers]).toEqual([undefined, {}]);
});

describe("fuzzed", () => {
  const envelope = fc
    .record({
      enqueuedAtMs: fc.maxSafeNat(),
      maxAttempts: fc.option(fc.integer({ min: 1 }), { nil: undefined }),
      headers: fc.option(fc.dictionary(fc.string(), fc.string({ unit: "binary" })), {
        nil: undefined,
      }),
      payload: fc.json(),
    })
    .map((parts) => ({ parts, stored: bytesOf(encodeEnvelope(parts)) }));

  test("what was encoded comes back", () => {
    fc.assert(
      fc.property(envelope, ({ parts, stored }) => {
        for (const opened of openBoth(stored)) {
          expectSane(opened);
          expect(opened).toMatchObject({ data: JSON.parse(parts.payload) });
          const { enqueuedAtMs, maxAttempts, headers } = (opened as { envelope: typeof parts })
            .envelope;
          expect({ enqueuedAtMs, maxAttempts }).toEqual({
            enqueuedAtMs: parts.enqueuedAtMs,
            maxAttempts: parts.maxAttempts,
          });
          expect(Object.entries(headers!)).toEqual(Object.entries(parts.headers ?? {}));
        }
      }),
      { numRuns: 1_000 },
    );
  });

  test("bytes at random", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.boolean(), (noise, looksLikeOne) => {
        const stored = Buffer.concat([Buffer.from(looksLikeOne ? "1m8v0000-0{" : ""), noise]);
        for (const opened of openBoth(stored)) expectSane(opened);
      }),
      { numRuns: 2_000 },
    );
  });

  test("envelopes with bytes changed, put in and left out", () => {
    const change = fc.record({
      at: fc.nat(),
      removes: fc.nat({ max: 5 }),
      adds: fc.uint8Array({ maxLength: 5 }),
    });
    fc.assert(
      fc.property(envelope, fc.array(change, { minLength: 1, maxLength: 4 }), (good, changes) => {
        let { stored } = good;
        for (const { at, removes, adds } of changes) {
          const from = at % (stored.length + 1);
          stored = Buffer.concat([stored.subarray(0, from), adds, stored.subarray(from + removes)]);
        }
        for (const opened of openBoth(stored)) expectSane(opened);
      }),
      { numRuns: 3_000 },
    );
  });

  test("heads of any JSON", () => {
    const key = fc.oneof(fc.constantFrom("m", "h", "__proto__", "constructor"), fc.string());
    const options = fc.dictionary(key, fc.jsonValue());
    fc.assert(
      fc.property(options, (each) => {
        const stored = Buffer.from(`1m8v0000-0${JSON.stringify(each)}\n{}`);
        for (const opened of openBoth(stored)) expectSane(opened);
      }),
      { numRuns: 2_000 },
    );
  });
});

test("a codec that throws anything ends in a burial", () => {
  const hostile = {
    get message(): string {
      throw new Error("from the getter");
    },
  };
  for (const thrown of [null, undefined, "text", Symbol("s"), hostile, new PayloadError("own")]) {
    const codec = {
      ...jsonCodec,
      decode: (): unknown => {
        throw thrown as Error;
      },
    };
    const claimed = {
      id: "id",
      dueAtMs: 0,
      claimedAtMs: 0,
      failedAttempts: 0,
      deliveryReason: "first" as const,
      envelope: "1abc-0\n{}",
    };
    expectSane(openDelivery(claimed, { codec, schema: undefined }, 10) as OpenedDelivery);
  }
});
