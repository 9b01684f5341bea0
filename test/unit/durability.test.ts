/** Durability levels: what may be asked for, and what the error says. */
import { describe, expect, test } from "vitest";
import {
  type Durability,
  resolveDurability,
  type ResolvedDurability,
} from "../../src/core/model/durability.ts";
import {
  type EnqueueOptions,
  resolveEnqueueOptions,
} from "../../src/core/model/enqueue-options.ts";
import {
  DEFAULT_DURABILITY_TIMEOUT_MS,
  MAX_DURABILITY_TIMEOUT_MS,
} from "../../src/core/model/limits.ts";
import { resolveQueueOptions } from "../../src/core/model/queue-options.ts";
import { DurabilityError, InvalidOptionError } from "../../src/index.ts";

const resolve = (value: unknown) => resolveDurability(value as Durability);
const queue = (durability: ResolvedDurability | undefined) =>
  ({ durability, trace: "link" }) as const;

test("replicas in memory, by WAIT", () => {
  expect(resolve({ replicas: 2 })).toMatchObject({
    command: "WAIT",
    required: { local: 0, replicas: 2 },
    timeoutMs: DEFAULT_DURABILITY_TIMEOUT_MS,
  });
  expect(resolve({ replicas: 100, timeoutMs: MAX_DURABILITY_TIMEOUT_MS }).required.replicas).toBe(
    100,
  );
});

test.each([
  [{}, { local: 1, replicas: 0 }],
  [
    { local: 0, replicas: 1 },
    { local: 0, replicas: 1 },
  ],
  [
    { local: 1, replicas: 2 },
    { local: 1, replicas: 2 },
  ],
  [{ replicas: 1 }, { local: 1, replicas: 1 }],
])("append-only files, by WAITAOF: %j", (aof, required) => {
  expect(resolve({ aof, timeoutMs: 7 })).toMatchObject({
    command: "WAITAOF",
    required,
    timeoutMs: 7,
  });
});

test("levels that ask for the same share a group, others do not", () => {
  const levels: Durability[] = [
    { replicas: 1 },
    { replicas: 2 },
    { replicas: 1, timeoutMs: 2 },
    { aof: { local: 0, replicas: 1 } },
    { aof: { local: 1, replicas: 1 } },
  ];
  expect(new Set(levels.map((level) => resolve(level).key)).size).toBe(levels.length);
  expect(resolve({ replicas: 1, timeoutMs: DEFAULT_DURABILITY_TIMEOUT_MS }).key).toBe(
    resolve({ replicas: 1 }).key,
  );
});

test.each([
  [undefined, "durability"],
  [null, "durability"],
  ["replicas", "durability"],
  [true, "durability"],
  [{}, "durability"],
  [{ timeoutMs: 5 }, "durability"],
  [{ replicas: 1, aof: {} }, "durability"],
  [{ replicas: 0 }, "durability.replicas"],
  [{ replicas: -1 }, "durability.replicas"],
  [{ replicas: 101 }, "durability.replicas"],
  [{ replicas: 1.5 }, "durability.replicas"],
  [{ replicas: "1" }, "durability.replicas"],
  [{ replicas: 1, timeoutMs: 0 }, "durability.timeoutMs"],
  [{ replicas: 1, timeoutMs: 60_001 }, "durability.timeoutMs"],
  [{ replicas: 1, timeoutMS: 5 }, "durability.timeoutMS"],
  [{ aof: 1 }, "durability.aof"],
  [{ aof: { local: 2 } }, "durability.aof.local"],
  [{ aof: { local: true } }, "durability.aof.local"],
  [{ aof: { local: 0 } }, "durability.aof.replicas"],
  [{ aof: { replicas: 101 } }, "durability.aof.replicas"],
  [{ aof: { replica: 1 } }, "durability.aof.replica"],
])("%j is refused by name", (value, option) => {
  const refused = (call: () => unknown) => {
    try {
      call();
    } catch (error) {
      expect(error).toBeInstanceOf(InvalidOptionError);
      return error as InvalidOptionError;
    }
    throw new Error("nothing was refused");
  };
  const error = refused(() => resolve(value));
  expect(error.option).toBe(option);
  expect(error.message).toMatch(/but must be .+/);
  if (value !== undefined) {
    const durability = value as Durability;
    expect(refused(() => resolveQueueOptions("q", { durability })).option).toBe(option);
    expect(refused(() => resolveEnqueueOptions({ durability }, queue(undefined))).option).toBe(
      option,
    );
  }
});

test("an enqueue takes the queue's level, its own, or none", () => {
  const ofQueue = resolve({ replicas: 1 });
  const own = { replicas: 2 };
  const levelOf = (options: EnqueueOptions, level: ResolvedDurability | undefined) =>
    resolveEnqueueOptions(options, queue(level)).durability;
  expect(levelOf({}, ofQueue)).toBe(ofQueue);
  expect(levelOf({}, undefined)).toBeUndefined();
  expect(levelOf({ durability: own }, ofQueue)).toEqual(resolve(own));
  expect(levelOf({ durability: false }, ofQueue)).toBeUndefined();
});

describe("DurabilityError", () => {
  test("says what is known, and what to do", () => {
    const shortfall = {
      required: { local: 0, replicas: 2 },
      confirmed: { local: 0, replicas: 1 },
      timeoutMs: 500,
    };
    const error = new DurabilityError(["a"], shortfall);
    expect(error).toMatchObject({ code: "DURABILITY", retryable: true, id: "a", ...shortfall });
    expect(error.message).toBe(
      'the job "a" is stored on the primary, but is not confirmed: 1 of 2 replicas did so within 500 ms; ' +
        "enqueue again with the same id to have it confirmed, which is safe",
    );
    expect(new DurabilityError(["a", "b"], error).message).toMatch(
      /^2 jobs \(error\.ids\) are not/,
    );
  });

  test("counts disks where they were asked for", () => {
    const messageOf = (replicas: number) =>
      new DurabilityError(["a"], {
        required: { local: 1, replicas },
        confirmed: { local: 0, replicas: 0 },
        timeoutMs: 500,
      }).message;
    expect(messageOf(0)).toContain("confirmed: 0 of 1 local disks did so");
    expect(messageOf(2)).toContain("confirmed: 0 of 1 local disks and 0 of 2 replicas did so");
  });
});
