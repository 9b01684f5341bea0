import { describe, expect, it } from "vitest";
import * as scripts from "../../../src/scripts/generated.ts";
import { claimArguments, readClaim } from "../../helpers/script-claim.ts";
import { expectWithin, openQueue, type TestQueue } from "../../helpers/script-harness.ts";

type Number = string | number;

interface Span {
  readonly name: string;
  readonly call: (queue: TestQueue, span: Number) => Promise<unknown>;
}

/** What scripts add to Redis's clock. */
const spans: readonly Span[] = [
  {
    name: "claim's visibility timeout",
    call: (queue, visibilityTimeoutMs) =>
      queue.run(scripts.claim, claimArguments(queue, { visibilityTimeoutMs })),
  },
  {
    name: "claim's poll interval",
    call: (queue, pollIntervalMs) =>
      queue.run(scripts.claim, claimArguments(queue, { pollIntervalMs })),
  },
  {
    name: "extend's visibility timeout",
    call: (queue, visibilityTimeoutMs) =>
      queue.run(scripts.extend, { visibilityTimeoutMs }, ["held", 7]),
  },
  {
    name: "nack's delay",
    call: (queue, delayMs) =>
      queue.run(scripts.nack, { wakeChannel: "" }, ["held", 7, delayMs, 1, "boom"]),
  },
  {
    name: "reap's backoff",
    call: (queue, backoffMs) =>
      queue.run(scripts.reap, { maxJobs: 10, wakeChannel: "" }, [backoffMs]),
  },
  {
    name: "reschedule's due time",
    call: (queue, dueText) =>
      queue.run(scripts.reschedule, { wakeChannel: "", id: "later", dueText: String(dueText) }),
  },
];

const wrong = ["nan", "-nan", "-1", "-inf", "inf", "soon", "", "1e300", 2 ** 53];

async function openBusyQueue(): Promise<TestQueue> {
  const queue = openQueue();
  await queue.plantDelayed("due", -1_000);
  await queue.plantDelayed("later", 60_000);
  await queue.plantHeld("held", 7);
  const lost = "lease expired: its worker stopped extending it";
  await queue.plantHeld("expired", 3, -1_000, { attempts: 1, error: lost });
  return queue;
}

describe.each(spans)("$name", ({ call }) => {
  it.each(wrong)("is refused as %j, before the first write", async (span) => {
    const queue = await openBusyQueue();
    const before = await queue.snapshot();
    await expect(call(queue, span)).rejects.toThrow("not a number of milliseconds");
    expect(await queue.snapshot()).toEqual(before);
  });

  it.each([0, "+0", 1, 2 ** 53 - 1])("may be %j", async (span) => {
    const queue = await openBusyQueue();
    const { changes } = await queue.watch(() => call(queue, span));
    expect(changes).not.toEqual({});
  });
});

describe("a stored count", () => {
  const none = ["many", "", "nan", "-1", "inf", "1e300", String(2 ** 53)];

  it.each([...none.map((stored) => [stored, 0] as const), ["2.7", 2] as const])(
    "of %j is %d to who reads it",
    async (stored, taken) => {
      const queue = openQueue();
      await queue.plantDelayed("a", -1_000, { attempts: stored });
      const reply = await queue.runOnBreach(scripts.claim, claimArguments(queue, {}));
      expect(readClaim(reply).jobs).toMatchObject([{ id: "a", attempts: taken }]);
    },
  );

  const sums = { "2.7": "3", [String(2 ** 53 - 1)]: String(2 ** 53) };
  it.each([...none.map((stored) => [stored, "1"] as const), ...Object.entries(sums)])(
    "of %j grows to %s",
    async (stored, grown) => {
      const queue = openQueue();
      await queue.plantHeld("held", 7, 30_000, { attempts: stored });
      const list = ["held", 7, 0, 1, "boom"];
      await queue.runOnBreach(scripts.nack, { wakeChannel: "" }, list);
      expect(await queue.part("attempts")).toEqual(new Map([["held", grown]]));
    },
  );

  it.each(none)("of %j is no token to go on from: the clock gives the next", async (stored) => {
    const queue = openQueue();
    await queue.client.hset(queue.keys.meta, "token", stored);
    await queue.plantDelayed("a", -1_000);
    const { reply, from, to } = await queue.watch(() =>
      queue.run(scripts.claim, claimArguments(queue, {})),
    );
    expectWithin(readClaim(reply).token, from * 1_000, (to + 1) * 1_000);
  });
});
