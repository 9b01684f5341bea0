import { describe, expect, test } from "vitest";
import { Batcher } from "../../src/core/engine/batcher.ts";
import { ClosedError, OverloadedError } from "../../src/core/model/errors.ts";

/** A batcher whose batches come back when the test says so. */
function manualBatcher({
  maxItems = 100,
  maxBytes = 1_000_000,
  maxBatchesInFlight = 1,
  maxFullBatchesInFlight = 0,
} = {}) {
  const batches: { items: number[]; answer: () => void; fail: (error: Error) => void }[] = [];
  const batcher = new Batcher<number, string>({
    send: (items) =>
      new Promise((resolve, reject) => {
        batches.push({ items, answer: () => resolve(items.map(String)), fail: reject });
      }),
    maxItems,
    maxBytes,
    maxBatchesInFlight,
    maxFullBatchesInFlight,
  });
  return { batcher, batches };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

describe("group commit", () => {
  test("calls of one turn share a batch, later ones wait for it to come back", async () => {
    const { batcher, batches } = manualBatcher();
    const first = [batcher.add(1), batcher.add(2)];
    await turn();
    const second = [batcher.add(3), batcher.add(4)];
    await turn();
    expect(batches.map(({ items }) => items)).toEqual([[1, 2]]);
    batches[0]!.answer();
    expect(await Promise.all(first)).toEqual(["1", "2"]);
    await turn();
    expect(batches.map(({ items }) => items)).toEqual([
      [1, 2],
      [3, 4],
    ]);
    batches[1]!.answer();
    expect(await Promise.all(second)).toEqual(["3", "4"]);
  });

  test("items of one group travel together, in their order and within the bounds", async () => {
    const batches: string[][] = [];
    const batcher = new Batcher<string, string>({
      send: (items) => {
        batches.push(items);
        return Promise.resolve(items.map((item) => item.toUpperCase()));
      },
      maxItems: 3,
      maxBatchesInFlight: 1,
      groupOf: (item) => item[0]!,
    });
    const items = ["a1", "b1", "a2", "c1", "a3", "b2", "a4"];
    const replies = await Promise.all(items.map((item) => batcher.add(item)));
    expect(replies).toEqual(["A1", "B1", "A2", "C1", "A3", "B2", "A4"]);
    expect(batches).toEqual([["a1", "a2", "a3"], ["b1", "b2"], ["c1"], ["a4"]]);
  });

  test("batches are bounded by items and by bytes, but for a single larger item", async () => {
    const { batcher, batches } = manualBatcher({
      maxItems: 3,
      maxBytes: 100,
      maxBatchesInFlight: 9,
    });
    const sizes = [10, 10, 10, 10, 95, 500, 10];
    const calls = sizes.map((bytes, index) => batcher.add(index, bytes));
    await turn();
    expect(batches.map(({ items }) => items)).toEqual([[0, 1, 2], [3], [4], [5], [6]]);
    for (const batch of batches) batch.answer();
    await Promise.all(calls);
  });

  test("what fills a batch goes out in its turn, also beside more batches than others may", async () => {
    const bounds = { maxItems: 2, maxBytes: 100, maxFullBatchesInFlight: 4 };
    const { batcher, batches } = manualBatcher(bounds);
    const sizes = [1, 1, 60, 60, 1, 1, 1, 1, 1, 1];
    const calls = sizes.map((bytes, index) => batcher.add(index, bytes));
    const full = [[0, 1], [2], [3, 4], [5, 6]];
    expect(batches.map(({ items }) => items)).toEqual(full);
    await turn();
    expect(batches.map(({ items }) => items)).toEqual(full);
    batches[0]!.answer();
    await turn();
    expect(batches.map(({ items }) => items)).toEqual([...full, [7, 8]]);
    for (const batch of batches.slice(1, 4)) batch.answer();
    await turn();
    expect(batches.map(({ items }) => items)).toEqual([...full, [7, 8]]);
    batches[4]!.answer();
    await turn();
    expect(batches.at(-1)!.items).toEqual([9]);
    batches[5]!.answer();
    expect(await Promise.all(calls)).toEqual(sizes.map((_, index) => String(index)));
  });

  test("an error among the replies rejects its own call only", async () => {
    const error = new ClosedError("not this one");
    const batcher = new Batcher<number, string>({
      send: (items) => Promise.resolve(items.map((item) => (item === 2 ? error : String(item)))),
      maxItems: 10,
      maxBatchesInFlight: 1,
    });
    const calls = [1, 2, 3].map((item) => batcher.add(item));
    await expect(calls[1]).rejects.toBe(error);
    expect([await calls[0], await calls[2]]).toEqual(["1", "3"]);
  });

  test("a failed batch rejects its own calls only", async () => {
    const { batcher, batches } = manualBatcher({ maxItems: 1, maxBatchesInFlight: 2 });
    const [first, second] = [batcher.add(1), batcher.add(2)];
    await turn();
    batches[0]!.fail(new Error("lost"));
    batches[1]!.answer();
    await expect(first).rejects.toThrow("lost");
    expect(await second).toBe("2");
  });
});

describe("bounds", () => {
  test("bytes that wait are limited", async () => {
    const { batcher, batches } = manualBatcher();
    const first = batcher.add(1, 200 * 1024 * 1024);
    await expect(batcher.add(2, 100 * 1024 * 1024)).rejects.toThrow(OverloadedError);
    await turn();
    batches[0]!.answer();
    await first;
  });

  test("stop refuses new calls and waits for those made before", async () => {
    const { batcher, batches } = manualBatcher();
    const call = batcher.add(1);
    const stopped = batcher.stop();
    await expect(batcher.add(2)).rejects.toThrow(ClosedError);
    await turn();
    batches[0]!.answer();
    await stopped;
    expect(await call).toBe("1");
  });
});
