/**
 * What the processes of a soak write down, one JSON object a line. What must be known about a call is
 * written before it is made; a process that is killed lacks only what it was told last.
 */

interface At {
  /** Milliseconds since 1970 on this machine's clock, which is Redis's too. */
  readonly at: number;
}

interface OfJob extends At {
  readonly id: string;
}

interface OfDelivery extends OfJob {
  readonly token: number;
}

/** Before each call, also where it repeats one without an answer. */
export interface Enqueue extends OfJob {
  readonly kind: "enqueue";
  /** The job cannot be due before, by Redis's clock. */
  readonly earliestDueAt: number;
}

export interface EnqueueConfirmed extends OfJob {
  readonly kind: "enqueue-confirmed";
  readonly status: "created" | "duplicate";
  readonly tookMs: number;
}

/** Redis was at its memory limit. */
export interface EnqueueRefused extends OfJob {
  readonly kind: "enqueue-refused";
  readonly tookMs: number;
}

interface EnqueueFailed extends OfJob {
  readonly kind: "enqueue-failed";
  readonly code: string;
}

export interface Cancel extends OfJob {
  readonly kind: "cancel";
}

export interface CancelAnswered extends OfJob {
  readonly kind: "cancel-answered";
  readonly answer: string;
}

export interface Purge extends OfJob {
  readonly kind: "purge";
}

export interface PurgeAnswered extends OfJob {
  readonly kind: "purge-answered";
  readonly isPurged: boolean;
}

interface Redrive extends OfJob {
  readonly kind: "redrive";
}

interface RedriveAnswered extends OfJob {
  readonly kind: "redrive-answered";
  readonly isRedriven: boolean;
}

export interface Start extends OfDelivery {
  readonly kind: "start";
  readonly dueAt: number;
  readonly attempt: number;
  readonly visibilityTimeoutMs: number;
}

/** The deliveries whose signals have not aborted, told every few milliseconds. */
export interface Hold extends At {
  readonly kind: "hold";
  readonly leases: readonly (readonly [id: string, token: number])[];
}

/** A handler extended its lease itself, and was answered. */
interface Extended extends OfDelivery {
  readonly kind: "extended";
  /** Before the call was made. */
  readonly sentAt: number;
  readonly isExtended: boolean;
}

/** The handler's signal. */
interface Abort extends OfDelivery {
  readonly kind: "abort";
  readonly code: string;
}

export type Intent = "complete" | "retry" | "bury";

/** Before the handler returns or throws, or before the delivery is settled by hand. */
interface End extends OfDelivery {
  readonly kind: "end";
  readonly intent: Intent;
  /** Of a retry, where the handler chose it. */
  readonly delayMs: number;
}

export type Settlement = "completed" | "retried" | "dead" | "lost";

/** What holdfast says became of the delivery. */
interface Settled extends OfDelivery {
  readonly kind: "settled";
  readonly settlement: Settlement;
  /** Of a retry: whether it counted as an attempt. */
  readonly isCounted: boolean;
}

/** A worker buried a job without running it. */
interface BuriedUnrun extends OfJob {
  readonly kind: "buried-unrun";
}

/** An audit beside everything else. */
interface Audit extends At {
  readonly kind: "audit";
  readonly breaches: readonly { readonly id: string | undefined; readonly kind: string }[];
}

interface ErrorSeen extends At {
  readonly kind: "error";
  readonly code: string;
  readonly message: string;
}

/** What the run did. The target of a fault is one life of a process, or "redis". */
interface FaultBegun extends At {
  readonly kind: "fault";
  readonly fault: string;
  readonly target: string;
}

interface FaultOver extends At {
  readonly kind: "fault-over";
  readonly fault: string;
  readonly target: string;
}

/** Cuts that waited for a call until the end, and found none. */
interface CutsLeft extends At {
  readonly kind: "cuts-left";
  readonly count: number;
}

/** A process ended that nobody had told to. */
interface Crash extends At {
  readonly kind: "crash";
  readonly target: string;
  readonly how: string;
}

/** After everything was healed, a worker did not find back to its work in time. */
interface Deaf extends At {
  readonly kind: "deaf";
  readonly target: string;
}

export type Line =
  | Enqueue
  | EnqueueConfirmed
  | EnqueueRefused
  | EnqueueFailed
  | Cancel
  | CancelAnswered
  | Purge
  | PurgeAnswered
  | Redrive
  | RedriveAnswered
  | Start
  | Hold
  | Extended
  | Abort
  | End
  | Settled
  | BuriedUnrun
  | Audit
  | ErrorSeen
  | FaultBegun
  | FaultOver
  | CutsLeft
  | Crash
  | Deaf;

/** A line, and which life of which process wrote it. */
export type Entry = Line & { readonly life: string };

type WithoutAt<L> = L extends Line ? Omit<L, "at"> : never;
/** A line as it is handed to the journal, which adds the time. */
export type NewLine = WithoutAt<Line>;
