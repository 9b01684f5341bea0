/** What the checker says of leases, tokens and due times: each kind of breach is planted in a sound history. */
import { describe, expect, test } from "vitest";
import type { Settlement } from "./history/lines.ts";
import { type Plant, rulesFoundIn, Story, time, token } from "./story.ts";

/** What the holder is told that came back after the next one had the job. */
function settleStalled(story: Story, settlement: Settlement): void {
  story.change("stalled", "settled", (entry) => {
    if (entry.life === "worker-1.1") Object.assign(entry, { settlement });
  });
}

const leases: Plant[] = [
  [
    "an ack that was accepted after the next claim",
    ["ended twice", "stale token accepted", "totals"],
    (story) => settleStalled(story, "completed"),
  ],
  [
    "a burial that was accepted after the next claim",
    ["stale token accepted"],
    (story) => {
      settleStalled(story, "dead");
      story.end.totals.buried += 1;
    },
  ],
  [
    "an extension that was accepted after the next claim",
    ["two holders", "stale token accepted"],
    (story) =>
      story.change("stalled", "extended", (entry) => Object.assign(entry, { sentAt: time(2_020) })),
  ],
  [
    "a token smaller than the one before",
    ["two holders", "token does not grow", "ran early"],
    (story) => {
      story.start("late", "worker-1.1", 900, 800);
      story.start("late", "worker-2.1", 950, 940);
      for (const entry of story.entries) {
        if ("token" in entry && entry.id === "late" && entry.life === "worker-2.1") {
          Object.assign(entry, { token: token(700) });
        }
      }
      story.store("late", 0, { delayMs: 600, tookMs: 100 });
      story.end.totals.enqueued += 1;
      story.end.jobIds.push("late");
      story.end.places.push({ id: "late", place: "delayed" });
    },
  ],
  [
    "a token given to two holders",
    ["token given twice"],
    (story) => story.start("plain", "worker-2.1", 5),
  ],
  [
    "a claim while the lease of the last one was in force",
    ["two holders"],
    (story) => {
      story.remove("killed", "start", "end", "settled");
      story.start("killed", "worker-1.1", 10, 2);
      story.start("killed", "worker-2.1", 1_505, 1_504);
      story.complete("killed", "worker-2.1", 1_505, 1_520);
    },
  ],
  [
    "a claim while an extension was in force",
    ["two holders"],
    (story) =>
      story.change("stalled", "extended", (entry) => Object.assign(entry, { sentAt: time(600) })),
  ],
  [
    "a holder that believes in its lease after the next claim",
    ["two holders"],
    (story) => {
      for (const at of [2_050, 2_100]) {
        story.add(at, "worker-1.1", { kind: "hold", leases: [["stalled", token(20)]] });
      }
    },
  ],
];

const times: Plant[] = [
  [
    "a claim before the due time",
    ["ran early"],
    (story) => story.change("plain", "start", (entry) => Object.assign(entry, { dueAt: time(6) })),
  ],
  [
    "a due time before the one that the producer wanted",
    ["ran early"],
    (story) =>
      story.change("plain", "enqueue", (entry) => Object.assign(entry, { earliestDueAt: time(9) })),
  ],
  [
    "a retry that did not wait",
    ["ran early"],
    (story) =>
      story.change("retried", "end", (entry) => {
        if ("delayMs" in entry && entry.delayMs === 100) Object.assign(entry, { delayMs: 200 });
      }),
  ],
];

describe.each([
  ["leases", leases],
  ["times", times],
])("%s", (_, plants) => {
  test.each(plants)("%s", (_what, rules, plant) => {
    const story = new Story();
    plant(story);
    expect(rulesFoundIn(story)).toEqual(rules);
  });
});
