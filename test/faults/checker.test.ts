/** What the checker says of jobs, totals and the run: each kind of breach is planted in a sound history. */
import { describe, expect, test } from "vitest";
import { check } from "./checker/check.ts";
import { type Plant, rulesFoundIn, Story, token } from "./story.ts";

test("a sound history has no violation", () => {
  expect(check(new Story().evidence())).toEqual([]);
});

const fates: Plant[] = [
  [
    "a confirmed job that is gone and that nobody ran",
    ["lost"],
    (story) => story.remove("plain", "start", "end", "settled"),
  ],
  [
    "a confirmed job that is gone and that nobody ran to its end",
    ["lost"],
    (story) => {
      story.store("gone", 0);
      story.start("gone", "worker-1.1", 5);
      story.end.totals.enqueued += 1;
      story.end.totals.completed += 1;
    },
  ],
  [
    "a job that is gone though its cancel was refused",
    ["lost"],
    (story) =>
      story.change("cancelled", "cancel-answered", (entry) =>
        Object.assign(entry, { answer: "processing" }),
      ),
  ],
  [
    "a job in two places",
    ["not in one place"],
    (story) => story.end.places.push({ id: "dead", place: "delayed" }),
  ],
  [
    "a job with two leases",
    ["not in one place"],
    (story) => {
      story.end.places[0]!.place = "processing";
      story.end.places.push({ id: "dead", place: "processing" });
    },
  ],
  ["a job in no place", ["not in one place"], (story) => story.end.places.pop()],
  [
    "an entry without a job",
    ["not in one place"],
    (story) => story.end.places.push({ id: "plain", place: "delayed" }),
  ],
  [
    "a job that nobody enqueued",
    ["unknown job"],
    (story) => {
      story.end.jobIds.push("stranger");
      story.end.places.push({ id: "stranger", place: "dead" });
      story.end.totals.enqueued += 1;
    },
  ],
  [
    "a job that was refused and ran",
    ["refused but stored"],
    (story) => {
      story.remove("plain", "enqueue-confirmed");
      story.add(1, "producer-1.1", { kind: "enqueue-refused", id: "plain", tookMs: 1 });
    },
  ],
  [
    "a job stored once and completed twice",
    ["ended twice"],
    (story) => {
      story.start("plain", "worker-2.1", 20, 6);
      story.complete("plain", "worker-2.1", 20, 21);
      story.end.totals.enqueued += 1;
      story.end.totals.completed += 1;
    },
  ],
  [
    "a delivery after the completion",
    ["ended twice"],
    (story) => story.start("plain", "worker-2.1", 20, 6),
  ],
  [
    "a delivery after the cancel",
    ["ended twice"],
    (story) => story.start("cancelled", "worker-2.1", 1_100, 1_000),
  ],
];

const totals = ["completed", "cancelled", "purged", "enqueued"] as const;
const accounts: Plant[] = [
  ...totals.flatMap((name) =>
    ([1, -1] as const).map((by): Plant => [
      `${name} ${by > 0 ? "one more" : "one less"} than what happened`,
      ["totals"],
      (story) => (story.end.totals[name] += by),
    ]),
  ),
  ...(["redriven", "buried", "retried"] as const).map((name): Plant => [
    `${name} less than what processes were told`,
    ["totals"],
    (story) => (story.end.totals[name] -= 1),
  ]),
  [
    "totals that add up, but with one more completion than handlers ended",
    ["totals"],
    (story) => {
      story.end.totals.completed += 2;
      story.end.totals.enqueued += 2;
    },
  ],
];

const runs: Plant[] = [
  ["a queue that did not drain", ["not drained"], (story) => (story.end.hasDrained = false)],
  [
    "an unsound last audit",
    ["audit"],
    (story) => {
      story.end.audit = { isSound: false, breaches: [{ id: "plain", kind: "orphan" }] };
    },
  ],
  [
    "a last audit that could not look at all",
    ["audit"],
    (story) => (story.end.audit.isSound = false),
  ],
  [
    "an unsound audit on the way",
    ["audit"],
    (story) =>
      story.add(9, "operator-1.1", { kind: "audit", breaches: [{ id: "plain", kind: "double" }] }),
  ],
  [
    "a process that ended by itself",
    ["process failed"],
    (story) => story.add(9, "run.1", { kind: "crash", target: "worker-1.1", how: "code 1" }),
  ],
  [
    "a worker that stays deaf",
    ["process failed"],
    (story) => story.add(9, "run.1", { kind: "deaf", target: "worker-1.1" }),
  ],
];

describe.each([
  ["fates", fates],
  ["accounts", accounts],
  ["runs", runs],
])("%s", (_, plants) => {
  test.each(plants)("%s", (_what, rules, plant) => {
    const story = new Story();
    plant(story);
    expect(rulesFoundIn(story)).toEqual(rules);
  });
});

describe("what is no violation", () => {
  const allowed: [string, (story: Story) => void][] = [
    ["a killed worker that lacks the answer to its ack", (story) => story.completeUnseen()],
    ["a cancel without an answer", (story) => story.remove("cancelled", "cancel-answered")],
    [
      "a job that was stored again by a late copy of its enqueue, and completed again",
      (story) => {
        story.remove("plain", "enqueue-confirmed");
        story.add(1_999, "producer-1.1", {
          kind: "enqueue-confirmed",
          id: "plain",
          status: "created",
          tookMs: 1_999,
        });
        story.start("plain", "worker-2.1", 2_000, 1_998);
        story.complete("plain", "worker-2.1", 2_000, 2_001);
        story.end.totals.enqueued += 1;
        story.end.totals.completed += 1;
      },
    ],
    [
      "a lease lost before its handler started",
      (story) =>
        story.add(9, "worker-1.1", {
          kind: "settled",
          id: "plain",
          token: token(1),
          settlement: "lost",
          isCounted: false,
        }),
    ],
  ];

  test.each(allowed)("%s", (_what, tell) => {
    const story = new Story();
    tell(story);
    expect(check(story.evidence())).toEqual([]);
  });
});
