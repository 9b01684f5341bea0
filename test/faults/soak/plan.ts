/** What goes wrong, and when: drawn from the seed alone, so that a run can be had again. */
import type * as scripts from "../../../src/scripts/generated.ts";
import { Chance } from "./chance.ts";
import { kindOf, PROCESS_NAMES, type ProcessKind, VISIBILITY_TIMEOUT_MS } from "./setting.ts";

type Target = "process" | "redis";

interface KindOfFault {
  /** How often it comes in one deck. */
  readonly cards: number;
  readonly target: Target;
  readonly lastsMs?: readonly [shortest: number, longest: number];
}

const longStopMs = 2.5 * VISIBILITY_TIMEOUT_MS;

/** Links are the connections of one process, so they are faults of a process too. */
const KINDS = {
  "kill-process": { cards: 8, target: "process" },
  "stop-process": { cards: 7, target: "process", lastsMs: [200, longStopMs] },
  "end-process": { cards: 4, target: "process" },
  "cut-before-command": { cards: 5, target: "process" },
  "cut-before-reply": { cards: 6, target: "process" },
  "cut-link": { cards: 2, target: "process" },
  "refuse-link": { cards: 3, target: "process", lastsMs: [200, 4_000] },
  "black-hole": { cards: 4, target: "process", lastsMs: [200, 4_000] },
  latency: { cards: 3, target: "process", lastsMs: [500, 4_000] },
  "kill-redis": { cards: 2, target: "redis", lastsMs: [0, 1_500] },
  "stop-redis": { cards: 2, target: "redis", lastsMs: [100, 2_500] },
  "fill-redis": { cards: 2, target: "redis", lastsMs: [200, 1_500] },
  "flush-scripts": { cards: 3, target: "redis" },
  "kill-clients": { cards: 2, target: "redis" },
} as const satisfies Record<string, KindOfFault>;

export type FaultKind = keyof typeof KINDS;
export const FAULT_KINDS = Object.keys(KINDS) as FaultKind[];

const FIRST_AFTER_MS = 500;
const GAP_MS = [150, 1_000] as const;
const LATENCY_MS = [5, 150] as const;
/** What a process of the kind calls, so that a cut finds a call to strike. */
const CUT_SCRIPTS = {
  producer: ["enqueue", "enqueue", "cancel"],
  worker: ["claim", "ack", "nack", "bury", "extend", "reap"],
  claimer: ["claim", "ack", "nack", "bury", "extend", "reap"],
  operator: ["redrive", "purge", "listDead", "verify"],
} as const satisfies Record<ProcessKind, readonly (keyof typeof scripts)[]>;
const CLIENT_TYPES = ["normal", "pubsub"] as const;

export interface Fault {
  /** Since the run began. */
  readonly atMs: number;
  readonly kind: FaultKind;
  /** A process's name, or "redis". */
  readonly target: string;
  /** 0 for what happens in a moment. */
  readonly durationMs: number;
  /** What latency adds in each direction. */
  readonly latencyMs: number;
  /** Whose call a cut waits for. */
  readonly script: keyof typeof scripts;
  /** Whom the server disconnects. */
  readonly clients: (typeof CLIENT_TYPES)[number];
}

/** Kinds are dealt from a shuffled deck, so that every half minute sees each of them. */
export function drawFaults(seed: number, seconds: number): Fault[] {
  const chance = new Chance(seed, "faults");
  const faults: Fault[] = [];
  let deck: FaultKind[] = [];
  for (let atMs = FIRST_AFTER_MS; atMs < seconds * 1_000; atMs += chance.integer(...GAP_MS)) {
    if (deck.length === 0) {
      deck = chance.shuffled(FAULT_KINDS.flatMap((kind) => Array(KINDS[kind].cards).fill(kind)));
    }
    faults.push(drawFault(chance, deck.pop()!, atMs));
  }
  return faults;
}

/** Draws each number whether or not the kind needs it: what follows does not depend on it. */
function drawFault(chance: Chance, kind: FaultKind, atMs: number): Fault {
  const { target, lastsMs = [0, 0] }: KindOfFault = KINDS[kind];
  const process = chance.pick(PROCESS_NAMES);
  return {
    atMs,
    kind,
    target: target === "redis" ? "redis" : process,
    durationMs: chance.integer(...lastsMs),
    latencyMs: chance.integer(...LATENCY_MS),
    script: chance.pick(CUT_SCRIPTS[kindOf(process)]),
    clients: chance.pick(CLIENT_TYPES),
  };
}
