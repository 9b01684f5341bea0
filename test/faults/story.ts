/** A small history with nothing wrong in it, for tests to plant something in. */
import { check } from "./checker/check.ts";
import type { EndState, Evidence, Rule } from "./checker/evidence.ts";
import type { Entry, Intent, NewLine, Settlement } from "./history/lines.ts";

const BEGAN_AT = 1_800_000_000_000;
const VISIBILITY_TIMEOUT_MS = 1_500;

/** What is planted, and the rules that must be found broken. */
export type Plant = readonly [what: string, rules: readonly Rule[], plant: (story: Story) => void];

export function rulesFoundIn(story: Story): Rule[] {
  return [...new Set(check(story.evidence()).map(({ rule }) => rule))];
}

type Mutable<T> = { -readonly [K in keyof T]: Mutable<T[K]> };

/** Times are milliseconds since the story began; a delivery's token is the time of its claim. */
export class Story {
  readonly entries: Entry[] = [];
  readonly end: Mutable<EndState>;

  constructor() {
    this.#tellPlain();
    this.#tellTakeovers();
    this.#tellRetries();
    this.#tellEnds();
    this.end = {
      jobIds: ["dead"],
      places: [{ id: "dead", place: "dead" }],
      totals: {
        enqueued: 8,
        completed: 5,
        retried: 1,
        expired: 2,
        buried: 3,
        redriven: 1,
        cancelled: 1,
        purged: 1,
      },
      audit: { isSound: true, breaches: [] },
      hasDrained: true,
    };
  }

  evidence(): Evidence {
    const entries = this.entries.toSorted((first, second) => first.at - second.at);
    return { entries, end: this.end };
  }

  add(at: number, life: string, line: NewLine): void {
    this.entries.push({ at: BEGAN_AT + at, life, ...line } as Entry);
  }

  /** Changes the lines of this kind about the job. */
  change(id: string, kind: Entry["kind"], change: (entry: Entry) => void): void {
    for (const entry of this.#about(id, kind)) change(entry);
  }

  remove(id: string, ...kinds: Entry["kind"][]): void {
    for (const kind of kinds) {
      for (const entry of this.#about(id, kind))
        this.entries.splice(this.entries.indexOf(entry), 1);
    }
  }

  store(id: string, at: number, { delayMs = 0, tookMs = 1 } = {}): void {
    this.add(at, "producer-1.1", { kind: "enqueue", id, earliestDueAt: time(at + delayMs) });
    this.add(at + tookMs, "producer-1.1", {
      kind: "enqueue-confirmed",
      id,
      status: "created",
      tookMs,
    });
  }

  start(id: string, life: string, at: number, dueAt = at, attempt = 1): void {
    this.add(at, life, {
      kind: "start",
      id,
      token: token(at),
      dueAt: time(dueAt),
      attempt,
      visibilityTimeoutMs: VISIBILITY_TIMEOUT_MS,
    });
  }

  /** @param claimed when the delivery was claimed */
  finish(
    id: string,
    life: string,
    claimed: number,
    how: { at: number; intent: Intent; settlement: Settlement; delayMs?: number },
  ): void {
    const { at, intent, settlement, delayMs = 0 } = how;
    const lease = { id, token: token(claimed) };
    this.add(at, life, { kind: "end", ...lease, intent, delayMs });
    this.add(at + 1, life, {
      kind: "settled",
      ...lease,
      settlement,
      isCounted: settlement === "retried",
    });
  }

  complete(id: string, life: string, claimed: number, at: number): void {
    this.finish(id, life, claimed, { at, intent: "complete", settlement: "completed" });
  }

  /** A worker that was killed between its handler's end and the answer to its ack. */
  completeUnseen(): void {
    this.store("unseen", 0);
    this.start("unseen", "worker-1.1", 5);
    this.complete("unseen", "worker-1.1", 5, 6);
    this.remove("unseen", "settled");
    this.end.totals.enqueued += 1;
    this.end.totals.completed += 1;
  }

  #about(id: string, kind: Entry["kind"]): Entry[] {
    return this.entries.filter((entry) => entry.kind === kind && "id" in entry && entry.id === id);
  }

  #tellPlain(): void {
    this.store("plain", 0, { delayMs: 5 });
    this.start("plain", "worker-1.1", 5);
    this.complete("plain", "worker-1.1", 5, 8);
  }

  /** "killed": its holder died. "stalled": its holder had it extended, believed in it, and came back late. */
  #tellTakeovers(): void {
    this.store("killed", 0);
    this.start("killed", "worker-1.1", 10, 2);
    this.start("killed", "worker-2.1", 1_511, 1_510, 2);
    this.complete("killed", "worker-2.1", 1_511, 1_520);

    this.store("stalled", 0);
    this.start("stalled", "worker-1.1", 20, 2);
    const lease = { id: "stalled", token: token(20) };
    this.add(505, "worker-1.1", {
      kind: "extended",
      ...lease,
      sentAt: time(500),
      isExtended: true,
    });
    for (const at of [1_900, 1_950, 2_000]) {
      this.add(at, "worker-1.1", { kind: "hold", leases: [[lease.id, lease.token]] });
    }
    this.start("stalled", "worker-2.1", 2_010, 2_005, 2);
    this.add(2_500, "worker-1.1", { kind: "abort", ...lease, code: "LEASE_LOST" });
    this.finish("stalled", "worker-1.1", 20, { at: 2_501, intent: "complete", settlement: "lost" });
    this.complete("stalled", "worker-2.1", 2_010, 2_030);
  }

  #tellRetries(): void {
    this.store("retried", 0);
    this.start("retried", "worker-1.1", 30, 1);
    const retry = { at: 40, intent: "retry", settlement: "retried", delayMs: 100 } as const;
    this.finish("retried", "worker-1.1", 30, retry);
    this.start("retried", "worker-2.1", 142, 141);
    this.complete("retried", "worker-2.1", 142, 150);
  }

  #tellEnds(): void {
    this.store("cancelled", 0, { delayMs: 1_000 });
    this.add(50, "producer-1.1", { kind: "cancel", id: "cancelled" });
    this.add(52, "producer-1.1", { kind: "cancel-answered", id: "cancelled", answer: "cancelled" });
    const bury = { intent: "bury", settlement: "dead" } as const;
    for (const [index, id] of ["purged", "redriven", "dead"].entries()) {
      this.store(id, 0);
      this.start(id, "worker-1.1", 60 + index, 1);
      this.finish(id, "worker-1.1", 60 + index, { at: 70, ...bury });
    }
    this.add(80, "operator-1.1", { kind: "purge", id: "purged" });
    this.add(82, "operator-1.1", { kind: "purge-answered", id: "purged", isPurged: true });
    this.add(80, "operator-1.1", { kind: "redrive", id: "redriven" });
    this.add(82, "operator-1.1", { kind: "redrive-answered", id: "redriven", isRedriven: true });
    this.start("redriven", "worker-2.1", 85, 81);
    this.complete("redriven", "worker-2.1", 85, 90);
  }
}

export function time(at: number): number {
  return BEGAN_AT + at;
}

/** Redis's microseconds. */
export function token(claimed: number): number {
  return time(claimed) * 1_000;
}
