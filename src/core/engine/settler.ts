/**
 * Sends the outcome of each job in batches, and repeats it until Redis answers or the lease ends.
 * After that the job belongs to the reaper.
 */
import { setMaxListeners } from "node:events";
import { untraced } from "../../telemetry/contexts.ts";
import type { DeliveryTelemetry } from "../../telemetry/delivery-telemetry.ts";
import { monotonicNow, pause } from "../model/clock.ts";
import { HoldfastError } from "../model/errors.ts";
import { BATCHES_IN_FLIGHT, SETTLE_BATCH_JOBS } from "../model/limits.ts";
import type { Outcome } from "../model/outcome.ts";
import type { JobStore } from "../store/job-store.ts";
import type { LeaseKey, SettleResult } from "../store/messages.ts";
import { Batcher } from "./batcher.ts";
import type { Lease } from "./lease.ts";
import type { Part } from "./part.ts";
import { retryPauseMs } from "./retry-pause.ts";
import type { TimedCall } from "./timed-call.ts";

/** "lost": another holder has the job. "unconfirmed": no answer came while the lease held. */
export type Settlement = "settled" | "lost" | "unconfirmed";

type Retry = LeaseKey & { delayMs: number; counts: boolean; error: string };
type Burial = LeaseKey & { counts: boolean; reason: string };

interface Answer {
  readonly result: SettleResult;
  /** Whether the call may have run twice, for the connection closed meanwhile. */
  readonly isAmbiguous: boolean;
}

const answersWith = (isAmbiguous: boolean): Readonly<Record<SettleResult, Answer>> => ({
  done: { result: "done", isAmbiguous },
  stale: { result: "stale", isAmbiguous },
  gone: { result: "gone", isAmbiguous },
});
const ANSWERS = answersWith(false);
const AMBIGUOUS_ANSWERS = answersWith(true);

export class Settler implements Part {
  readonly #store: JobStore;
  readonly #onError: (error: unknown) => void;
  readonly #acks: Batcher<LeaseKey, Answer>;
  readonly #retries: Batcher<Retry, Answer>;
  readonly #burials: Batcher<Burial, Answer>;
  readonly #stopping = new AbortController();
  #unsettled = 0;
  #lastRetry: TimedCall | undefined;
  #onIdle: (() => void)[] = [];

  constructor(store: JobStore, onError: (error: unknown) => void) {
    this.#store = store;
    this.#onError = onError;
    this.#acks = this.#batcher((leases) => store.ack(leases));
    this.#retries = this.#batcher(async (items) => {
      const sentAt = monotonicNow();
      const results = await store.nack(items);
      this.#lastRetry = { sentAt, answeredAt: monotonicNow() };
      return results;
    });
    this.#burials = this.#batcher((items) => store.bury(items));
    // Each outcome that waits for its next try listens: no leak, however many there are.
    setMaxListeners(0, this.#stopping.signal);
  }

  start(): void {
    // Outcomes are sent on demand.
  }

  /** Outcomes without an answer yet. */
  get unsettled(): number {
    return this.#unsettled;
  }

  /** The last call that sent jobs back to run again. */
  get lastRetry(): TimedCall | undefined {
    return this.#lastRetry;
  }

  /** Never rejects: a failure is reported, and ends in "unconfirmed". */
  settle(lease: Lease, outcome: Outcome): Promise<Settlement> {
    this.#unsettled += 1;
    return this.resolve(lease, outcome).then(this.#onResult, this.#onFailure);
  }

  /** Resolves when every outcome has its answer. */
  idle(): Promise<void> {
    return this.#unsettled === 0
      ? Promise.resolve()
      : new Promise((resolve) => {
          this.#onIdle.push(resolve);
        });
  }

  /** Gives up on what has no answer yet. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await Promise.all([this.#acks.stop(), this.#retries.stop(), this.#burials.stop()]);
  }

  /**
   * @returns what Redis answered: "done", or why it refused
   * @throws HoldfastError if it gives no answer while the lease holds
   */
  resolve(lease: Lease, outcome: Outcome): Promise<SettleResult> {
    // What is settled already is not settled again.
    return lease.telemetry && !lease.isSettled
      ? traceSettle(lease.telemetry, outcome, () => this.#resolve(lease, outcome))
      : this.#resolve(lease, outcome);
  }

  get #isStopping(): boolean {
    return this.#stopping.signal.aborted;
  }

  readonly #onResult = (result: SettleResult): Settlement => {
    this.#countDown();
    return result === "done" ? "settled" : "lost";
  };

  readonly #onFailure = (error: unknown): Settlement => {
    this.#countDown();
    this.#onError(error);
    return "unconfirmed";
  };

  #countDown(): void {
    this.#unsettled -= 1;
    if (this.#unsettled === 0) {
      for (const resolve of this.#onIdle.splice(0)) resolve();
    }
  }

  /** Not an async function: nearly every outcome is answered at its first try, and each promise costs. */
  #resolve(lease: Lease, outcome: Outcome): Promise<SettleResult> {
    return this.#send(lease, outcome).then(
      (answer) => resultOf(lease, answer, answer.isAmbiguous),
      (error: unknown) => this.#resend(lease, outcome, error),
    );
  }

  async #resend(lease: Lease, outcome: Outcome, firstError: unknown): Promise<SettleResult> {
    let error = firstError;
    for (let failures = 1; ; failures += 1) {
      const isWorthRepeating = error instanceof HoldfastError && error.retryable;
      const pauseMs = retryPauseMs(failures);
      if (!isWorthRepeating || monotonicNow() + pauseMs >= lease.deadline || this.#isStopping) {
        throw error;
      }
      await pause(pauseMs, this.#stopping.signal);
      try {
        return resultOf(lease, await this.#send(lease, outcome), true);
      } catch (nextError) {
        error = nextError;
      }
    }
  }

  #send({ id, token }: Lease, outcome: Outcome): Promise<Answer> {
    switch (outcome.kind) {
      case "ack":
        return this.#acks.add({ id, token });
      case "retry": {
        const { delayMs, counts, error } = outcome;
        return this.#retries.add({ id, token, delayMs, counts, error });
      }
      case "bury":
        return this.#burials.add({ id, token, counts: outcome.counts, reason: outcome.reason });
    }
  }

  #batcher<Item>(send: (items: Item[]) => Promise<SettleResult[]>): Batcher<Item, Answer> {
    return new Batcher({
      send: async (items) => {
        const epoch = this.#store.connectionEpoch;
        const results = await untraced(() => send(items));
        const isAmbiguous = this.#store.connectionEpoch !== epoch;
        const answers = isAmbiguous ? AMBIGUOUS_ANSWERS : ANSWERS;
        return results.map((result) => answers[result]);
      },
      maxItems: SETTLE_BATCH_JOBS,
      maxBatchesInFlight: BATCHES_IN_FLIGHT,
    });
  }
}

/**
 * While the lease holds nobody else can have settled the job. So if an earlier copy of this call may have
 * arrived, a refusal means that it did.
 */
function resultOf(lease: Lease, { result }: Answer, mayBeRepeat: boolean): SettleResult {
  const wasApplied = mayBeRepeat && !lease.isSettled && monotonicNow() < lease.deadline;
  lease.isSettled ||= wasApplied || result === "done";
  return wasApplied ? "done" : result;
}

/** Not an async function, for the same reason: with an SDK each promise costs more still. */
function traceSettle(
  telemetry: DeliveryTelemetry,
  outcome: Outcome,
  settle: () => Promise<SettleResult>,
): Promise<SettleResult> {
  const settling = telemetry.startSettle(outcome);
  return settle().then(
    (result) => {
      settling.end(result === "done");
      return result;
    },
    (error: unknown) => {
      settling.fail(error);
      throw error;
    },
  );
}
