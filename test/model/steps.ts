/**
 * Random steps as plain data, so that fast-check can print and shrink them. A step names jobs and
 * leases by reference ("the second lease in force"): which they are shows when its turn comes.
 */
import * as fc from "fast-check";
import { LEASE_EXPIRED } from "./reference-queue.ts";

export interface JobRef {
  /** Any id, also those of no job; or a job that is in this place, if there is one. */
  readonly job: "any" | "delayed" | "dead";
  readonly nth: number;
}

export interface LeaseRef {
  /**
   * In force, given at any time, a held job under the token of another claim, or a token that was
   * never given.
   */
  readonly lease: "held" | "former" | "mixed" | "unknown";
  readonly nth: number;
}

/** In `inMs` from now, or at a moment that stays the same however often it is named. */
export type DueRef = { readonly inMs: number } | { readonly atMs: number };

const nth = fc.nat(5);
const flag = fc.constantFrom(0 as const, 1 as const);
const delayMs = fc.constantFrom(0, 0, 0, 0, 1, 500, 2_000, 60_000);
const maxJobs = fc.constantFrom(1, 2, 3, 100);
const bytes = fc.constantFrom(1, 20, 100, 1_000_000);
const worker = fc.nat(5);

function jobRef(place: "delayed" | "dead"): fc.Arbitrary<JobRef> {
  return fc.record({ job: fc.constantFrom("any" as const, place, place, place), nth: fc.nat(6) });
}

const leaseRef: fc.Arbitrary<LeaseRef> = fc.record({
  lease: fc.oneof(
    { weight: 8, arbitrary: fc.constant("held" as const) },
    { weight: 2, arbitrary: fc.constant("former" as const) },
    { weight: 1, arbitrary: fc.constantFrom("mixed" as const, "unknown" as const) },
  ),
  nth,
});
const due: fc.Arbitrary<DueRef> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ inMs: delayMs }) },
  { weight: 1, arbitrary: fc.record({ atMs: fc.constantFrom(-5_000, 0, 3_000, 90_000) }) },
);

function list<T>(item: fc.Arbitrary<T>): fc.Arbitrary<T[]> {
  return fc.array(item, { minLength: 1, maxLength: 3 });
}

const enqueue = fc.record({
  script: fc.constant("enqueue" as const),
  items: list(fc.record({ job: fc.nat(5), body: fc.constantFrom(0, 0, 0, 1, 30), due })),
});

const claim = fc.record({
  script: fc.constant("claim" as const),
  worker,
  maxJobs,
  maxBytes: bytes,
  visibilityTimeoutMs: fc.constantFrom(100, 5_000, 30_000),
  pollIntervalMs: fc.constantFrom(0, 800, 5_000, 60_000),
  comesBack: flag,
});

const ack = fc.record({ script: fc.constant("ack" as const), items: list(leaseRef) });

const nack = fc.record({
  script: fc.constant("nack" as const),
  items: list(
    fc.record({
      ref: leaseRef,
      delayMs,
      counts: flag,
      error: fc.constantFrom("", "boom", "\u0001boom", LEASE_EXPIRED),
    }),
  ),
});

const bury = fc.record({
  script: fc.constant("bury" as const),
  items: list(
    fc.record({ ref: leaseRef, counts: flag, reason: fc.constantFrom("", "hopeless", "\u0002x") }),
  ),
});

const extend = fc.record({
  script: fc.constant("extend" as const),
  visibilityTimeoutMs: fc.constantFrom(100, 5_000, 30_000),
  items: list(leaseRef),
});

const reap = fc.record({
  script: fc.constant("reap" as const),
  maxJobs,
  delaysMs: fc.constantFrom([0], [1_000], [0, 1_000, 5_000]),
});

const byIds = fc.record({
  script: fc.constantFrom("redrive" as const, "redrive" as const, "purge" as const),
  items: list(jobRef("dead")),
});

const cancel = fc.record({ script: fc.constant("cancel" as const), ref: jobRef("delayed") });
const reschedule = fc.record({
  script: fc.constant("reschedule" as const),
  ref: jobRef("delayed"),
  due,
});
const leave = fc.record({ script: fc.constant("leave" as const), worker });
const pausing = fc.record({
  script: fc.constantFrom("pause" as const, ...Array<"resume">(4).fill("resume")),
});

const looking = fc.record({ script: fc.constantFrom("stats" as const, "open" as const) });
const peek = fc.record({
  script: fc.constant("peek" as const),
  maxBytes: bytes,
  items: list(jobRef("dead")),
});
const listDead = fc.record({
  script: fc.constant("listDead" as const),
  maxJobs,
  after: fc.option(jobRef("dead"), { nil: undefined }),
  untilMs: fc.constantFrom(-1_000, 1_000_000),
});

/** The same call once more: the last one, or one from before. */
const repeat = fc.record({
  script: fc.constant("repeat" as const),
  back: fc.constantFrom(0, 0, 0, 1, 2, 4, 8),
});

const passTime = fc.record({
  script: fc.constant("passTime" as const),
  ms: fc.constantFrom(1, 99, 100, 1_000, 5_000, 30_000, 3_600_001),
});

/** As if the last token came from a clock that was ahead, before a failover. */
const clockWasAhead = fc.record({
  script: fc.constant("clockWasAhead" as const),
  ms: fc.nat(2_000),
});

/** What any step may shrink to, so that a failure is left with the steps it needs. */
const nothing = fc.record({ script: fc.constant("nothing" as const) });

const step = fc.oneof(
  { withCrossShrink: true },
  { weight: 1, arbitrary: nothing },
  { weight: 16, arbitrary: enqueue },
  { weight: 18, arbitrary: claim },
  { weight: 3, arbitrary: ack },
  { weight: 6, arbitrary: nack },
  { weight: 5, arbitrary: bury },
  { weight: 4, arbitrary: extend },
  { weight: 7, arbitrary: reap },
  { weight: 4, arbitrary: byIds },
  { weight: 2, arbitrary: cancel },
  { weight: 4, arbitrary: reschedule },
  { weight: 2, arbitrary: leave },
  { weight: 3, arbitrary: pausing },
  { weight: 2, arbitrary: looking },
  { weight: 2, arbitrary: peek },
  { weight: 3, arbitrary: listDead },
  { weight: 12, arbitrary: repeat },
  { weight: 14, arbitrary: passTime },
  { weight: 1, arbitrary: clockWasAhead },
);

export type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;
type Apart = "nothing" | "repeat" | "passTime" | "clockWasAhead";
export type CallStep = Exclude<Step, { readonly script: Apart }>;

/** What one run of the property is made of. */
export interface Sequence {
  readonly ids: readonly string[];
  readonly hasWakeups: boolean;
  readonly steps: readonly Step[];
}

const JOBS_OF_A_SEQUENCE = 6;

export function sequences(ids: readonly string[]): fc.Arbitrary<Sequence> {
  const length = { minLength: JOBS_OF_A_SEQUENCE, maxLength: JOBS_OF_A_SEQUENCE };
  const sequence = fc.record({
    ids: fc.shuffledSubarray([...ids], length),
    hasWakeups: fc.constantFrom(true, true, true, false),
    steps: fc.array(step, { minLength: 1, maxLength: 60, size: "max" }),
  });
  // The values that matter are listed above: no need to prefer small ones, and short sequences.
  return fc.noBias(sequence);
}
