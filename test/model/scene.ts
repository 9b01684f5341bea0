/** Makes calls of steps: which job, lease and request a step means shows only when its turn comes. */
import type { Call, LeaseKey } from "./calls.ts";
import type { ReferenceQueue } from "./reference-queue.ts";
import type { CallStep, DueRef, JobRef, LeaseRef } from "./steps.ts";

const WORKERS = ["w1", "w2", "w3", "w4", "w5", "w6"] as const;
/** Those with a subscriber; the others are gone. */
export const HEARING: ReadonlySet<string> = new Set(["w1", "w5"]);

export class Scene {
  readonly #ids: readonly string[];
  readonly #startedAt = Date.now();
  readonly #given: LeaseKey[] = [];
  readonly #requests = new Map<string, number>();

  constructor(ids: readonly string[]) {
    this.#ids = ids;
  }

  /** Remembers the leases in force, to name them when they are no longer. */
  remember(queue: ReferenceQueue): void {
    this.#given.push(...queue.leases());
  }

  callOf(step: CallStep, queue: ReferenceQueue): Call {
    const lease = (ref: LeaseRef) => this.#lease(ref, queue);
    switch (step.script) {
      case "enqueue":
        return { script: step.script, items: step.items.map((item) => this.#newJob(item)) };
      case "claim": {
        const workerId = WORKERS[step.worker]!;
        const { script, worker: _, ...args } = step;
        return { script, args: { ...args, workerId, request: this.#nextRequest(workerId) } };
      }
      case "ack":
        return { script: step.script, items: step.items.map(lease) };
      case "extend": {
        const { script, visibilityTimeoutMs, items } = step;
        return { script, args: { visibilityTimeoutMs }, items: items.map(lease) };
      }
      case "nack": {
        const items = step.items.map(({ ref, ...how }) => ({ ...lease(ref), ...how }));
        return { script: step.script, items };
      }
      case "bury": {
        const items = step.items.map(({ ref, ...how }) => ({ ...lease(ref), ...how }));
        return { script: step.script, items };
      }
      case "reap": {
        const items = step.delaysMs.map((delayMs) => ({ delayMs }));
        return { script: step.script, args: { maxJobs: step.maxJobs }, items };
      }
      case "redrive":
      case "purge":
        return {
          script: step.script,
          items: step.items.map((ref) => ({ id: this.#job(ref, queue) })),
        };
      case "peek": {
        const items = step.items.map((ref) => ({ id: this.#job(ref, queue) }));
        return { script: step.script, args: { maxBytes: step.maxBytes }, items };
      }
      case "cancel":
        return { script: step.script, args: { id: this.#job(step.ref, queue) } };
      case "reschedule": {
        const args = { id: this.#job(step.ref, queue), dueText: this.#dueText(step.due) };
        return { script: step.script, args };
      }
      case "leave":
        return { script: step.script, args: { workerId: WORKERS[step.worker]! } };
      case "listDead":
        return this.#deadPage(step, queue);
      case "pause":
      case "resume":
      case "open":
      case "stats":
        return { script: step.script };
    }
  }

  #newJob({ job, body, due }: { job: number; body: number; due: DueRef }) {
    return {
      id: this.#id(job),
      envelope: "envelope".padEnd(8 + body, "é"),
      due: this.#dueText(due),
    };
  }

  /** One more than there are jobs is an id that nobody ever enqueues. */
  #id(job: number): string {
    return this.#ids[job] ?? "stranger";
  }

  #job({ job, nth }: JobRef, queue: ReferenceQueue): string {
    const there = job === "any" ? undefined : pick(queue.in(job), nth);
    return there?.id ?? this.#id(nth);
  }

  #dueText(due: DueRef): string {
    return "inMs" in due ? `+${due.inMs}` : String(this.#startedAt + due.atMs);
  }

  #nextRequest(workerId: string): number {
    const request = (this.#requests.get(workerId) ?? 0) + 1;
    this.#requests.set(workerId, request);
    return request;
  }

  #lease({ lease, nth }: LeaseRef, queue: ReferenceQueue): LeaseKey {
    const held = pick(queue.leases(), nth);
    const given = pick(this.#given, nth);
    if (lease === "held" && held) return { id: held.id, token: held.token };
    if (lease === "mixed" && held && given) return { id: held.id, token: given.token };
    if (lease !== "unknown" && given) return { id: given.id, token: given.token };
    return { id: this.#id(nth), token: 7 };
  }

  #deadPage(step: CallStep & { script: "listDead" }, queue: ReferenceQueue): Call {
    const { maxJobs, untilMs, after } = step;
    const afterId = after === undefined ? "" : this.#job(after, queue);
    const died = queue.in("dead").find(({ id }) => id === afterId)?.at;
    const afterMs = died ?? this.#startedAt - 1_000;
    const args = { maxJobs, afterId, afterMs, untilMs: this.#startedAt + untilMs };
    return { script: "listDead", args };
  }
}

function pick<T>(items: readonly T[], nth: number): T | undefined {
  return items.length === 0 ? undefined : items[nth % items.length];
}
