/** What counts as a recovery, and how long it took. */
import { expect, test } from "vitest";
import { measureRecovery } from "./soak/recovery.ts";
import { Story } from "./story.ts";

function storyWithFault(fault: string, target: string, at: number): Story {
  const story = new Story();
  story.add(at, "run.1", { kind: "fault", fault, target });
  story.add(at + 50, "run.1", { kind: "fault-over", fault, target });
  return story;
}

/** At 500 ms the story's first worker holds two jobs, which others get later. */
const redeliveries = [
  { givenBackMs: 1_010, startedMs: 1_011 },
  { givenBackMs: 1_505, startedMs: 1_510 },
];

test("each job that a killed holder was running counts, from the kill on", () => {
  const { entries } = storyWithFault("kill-process", "worker-1.1", 500).evidence();
  const { afterKill, afterStop } = measureRecovery(entries);
  expect(afterKill).toEqual(redeliveries);
  expect(afterStop).toEqual([]);
});

test("a stopped holder's jobs count where another one took them", () => {
  const { entries } = storyWithFault("stop-process", "worker-1.1", 500).evidence();
  expect(measureRecovery(entries).afterStop).toEqual(redeliveries);
});

test("a job that was claimed in between and never started does not count", () => {
  const story = storyWithFault("kill-process", "worker-1.1", 500);
  story.change("killed", "start", (entry) => {
    if (entry.life === "worker-2.1") Object.assign(entry, { attempt: 3 });
  });
  expect(measureRecovery(story.evidence().entries).afterKill).toEqual(redeliveries.slice(1));
});

test("a Redis that is back counts until the next start of any job", () => {
  const { entries } = storyWithFault("kill-redis", "redis", 1_400).evidence();
  expect(measureRecovery(entries).afterRedisMs).toEqual([1_511 - 1_450]);
});
