import { expect, test } from "vitest";
import { type Breach, formatVerifyReport, type VerifyReport } from "../../src/index.ts";
import { emptyCounts, mergeReports } from "../../src/core/model/verify-report.ts";

function reportOf(change: Partial<VerifyReport> = {}): VerifyReport {
  return {
    isSound: true,
    isComplete: true,
    jobs: 1_200,
    breachCount: 0,
    breachCounts: emptyCounts(),
    breaches: [],
    unknownCount: 0,
    ...change,
  };
}

const orphan = (id: string): Breach => ({ id, kind: "orphan", details: [], isMended: false });

test("a sound queue is told in one line", () => {
  expect(formatVerifyReport(reportOf())).toBe(
    "sound: 1,200 jobs looked at, each in exactly one place",
  );
});

test("breaches are counted, listed, and what to do is said", () => {
  const report = reportOf({
    isSound: false,
    breachCount: 1_003,
    breachCounts: { ...emptyCounts(), orphan: 1_001, double: 1, queue: 1 },
    breaches: [
      { id: undefined, kind: "queue", details: ["jobs has a time to live"], isMended: false },
      { id: 'a"b', kind: "double", details: ["lease 7", "delayed"], isMended: false },
      orphan("c"),
      orphan("d"),
    ],
    unknownCount: 2_000,
  });
  expect(formatVerifyReport(report, { maxBreaches: 3 }).split("\n")).toEqual([
    "NOT SOUND: 1,200 jobs looked at, 1,003 breaches found",
    "  orphan 1,001: in no place, would never run",
    "  double 1: in several places, could run twice",
    "  queue 1: faults of the queue itself",
    "    jobs has a time to live",
    '    double "a\\"b": lease 7, delayed',
    '    orphan "c": nowhere',
    "    and 1,000 more",
    "  To mend them without losing a payload: queue.verify({ repair: true }).",
    "  2,000 jobs could not be told from jobs being claimed at the moment: pause the queue, verify again, and resume it.",
  ]);
});

test("what was mended is said, and how", () => {
  const report = reportOf({
    isSound: false,
    breachCount: 1,
    breachCounts: { ...emptyCounts(), orphan: 1 },
    breaches: [{ ...orphan("a"), isMended: true }],
  });
  expect(formatVerifyReport(report).split("\n")).toEqual([
    "NOT SOUND: 1,200 jobs looked at, 1 breach found",
    "  orphan 1: in no place, would never run (made due)",
    '    orphan "a": nowhere, mended',
  ]);
});

test("an audit that was cut short is no sound one", () => {
  const text = formatVerifyReport(reportOf({ isSound: false, isComplete: false }));
  expect(text).toBe(
    "no breach found: 1,200 jobs looked at, and not to the end: the audit was cut short",
  );
});

test("reports of parts become one", () => {
  const first = reportOf({
    isSound: false,
    breachCount: 900,
    breachCounts: { ...emptyCounts(), orphan: 900 },
    breaches: Array.from({ length: 900 }, (_, n) => orphan(`a${n}`)),
  });
  const second = reportOf({
    isSound: false,
    isComplete: false,
    breachCount: 201,
    breachCounts: { ...emptyCounts(), orphan: 200, queue: 1 },
    breaches: Array.from({ length: 200 }, (_, n) => orphan(`b${n}`)),
    unknownCount: 3,
  });
  expect(mergeReports([first, second, reportOf()])).toEqual({
    isSound: false,
    isComplete: false,
    jobs: 3_600,
    breachCount: 1_101,
    breachCounts: { ...emptyCounts(), orphan: 1_100, queue: 1 },
    breaches: [...first.breaches, ...second.breaches.slice(0, 100)],
    unknownCount: 3,
  });
  expect(mergeReports([reportOf(), reportOf()])).toEqual(reportOf({ jobs: 2_400 }));
});
