import { stripVTControlCharacters } from "node:util";
import { expect, test } from "vitest";
import type { Diagnosis } from "../../src/cli/doctor/diagnosis.ts";
import { diagnosisText } from "../../src/cli/doctor/text.ts";

const diagnosis: Diagnosis = {
  format: 1,
  severity: "danger",
  findings: [{ check: "queues", severity: "unknown", message: "hidden" }],
  servers: [
    {
      address: "127.0.0.1:6379",
      product: "Redis",
      version: "8.2.2",
      findings: [
        { check: "version", severity: "ok", message: "Redis 8.2.2" },
        { check: "eviction", severity: "danger", message: "evicts", remedy: "do not" },
      ],
    },
    { address: "127.0.0.1:6380", product: undefined, version: undefined, findings: [] },
  ],
  queues: [
    {
      name: "emails",
      shards: 2,
      stats: {
        delayed: 1,
        due: 2,
        processing: 3,
        dead: 4,
        oldestDueAgeMs: undefined,
        paused: false,
        waitingWorkers: 5,
      },
      verify: undefined,
      findings: [{ check: "dead", severity: "advice", message: "4\nletters", remedy: "read" }],
    },
  ],
};

test("a diagnosis as text: each server, what is general, each queue, and the sum", () => {
  expect(diagnosisText(diagnosis, false).split("\n")).toEqual([
    "Server 127.0.0.1:6379, Redis 8.2.2",
    "  ok       version       Redis 8.2.2",
    "  DANGER   eviction      evicts",
    "                         -> do not",
    "",
    "Server 127.0.0.1:6380",
    "",
    "In general",
    "  unknown  queues        hidden",
    "",
    "Queue emails in 2 shards: 1 delayed, 2 due, 3 processing, 4 dead, 5 workers waiting",
    "  advice   dead          4",
    "                         letters",
    "                         -> read",
    "",
    "DANGER: 1 found; 1 advice, 1 unknown, 1 ok.",
  ]);
});

test("with colours the words stay the same", () => {
  const text = diagnosisText(diagnosis, true);
  expect(text).toContain("\u001b[");
  expect(stripVTControlCharacters(text)).toBe(diagnosisText(diagnosis, false));
});
