import { expect, test } from "vitest";
import { newJobId, newWorkerId } from "../../src/core/model/ids.ts";

test("job ids are unique, short, and sort by the time they were made", () => {
  const ids = Array.from({ length: 50_000 }, newJobId);
  expect(new Set(ids).size).toBe(ids.length);
  expect(ids.every((id) => /^[0-9a-z]{24}$/.test(id))).toBe(true);
  expect(ids.toSorted()).toEqual(ids);
});

test("worker ids are unique and short", () => {
  const ids = Array.from({ length: 10_000 }, newWorkerId);
  expect(new Set(ids).size).toBe(ids.length);
  expect(ids.every((id) => /^[0-9a-z]{16}$/.test(id))).toBe(true);
});
