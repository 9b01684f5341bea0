/**
 * The connection on which a shard's enqueues are confirmed: WAIT blocks its connection, so it has its own. It counts
 * only writes made on the very connection that asks, so this one never reconnects: when it ends, all that
 * was under way on it has failed, and the next call opens another.
 */
import { monotonicNow } from "../model/clock.ts";
import type { ResolvedDurability } from "../model/durability.ts";
import {
  ClosedError,
  type Confirmations,
  type HoldfastError,
  RedisUnavailableError,
} from "../model/errors.ts";
import * as limits from "../model/limits.ts";
import { outliveSocketErrors, type RedisArgument, type RedisClient } from "./client.ts";
import {
  checkCanConfirm,
  readConfirmations,
  translateWaitError,
  waitCommand,
} from "./confirmation.ts";
import type { Connection } from "./connection.ts";
import { translateError } from "./redis-errors.ts";

/** Calls of one script, each as its keys' number, keys and arguments. */
export interface ScriptCalls {
  readonly source: string;
  readonly sha1: string;
  readonly calls: readonly (readonly RedisArgument[])[];
}

export interface ConfirmedReplies {
  /** Per call its reply, or why it has none. */
  readonly replies: readonly unknown[];
  /** What the server answered at the end, or why it did not: then no reply counts. */
  readonly confirmed: Confirmations | HoldfastError;
  readonly waitedMs: number;
}

export class DurableConnection {
  readonly #main: Connection;
  readonly #checks = new Map<string, Promise<void>>();
  #client: RedisClient | undefined;
  #lastError: Error | undefined;
  #turn: Promise<unknown> = Promise.resolve();
  #isClosed = false;

  /** Opens nothing yet. */
  constructor(main: Connection) {
    this.#main = main;
  }

  /**
   * Runs the calls and waits for their confirmation, in one pipeline. Others wait for their turn.
   *
   * @param endsAt when the caller stops listening, on the monotonic clock
   * @throws HoldfastError if nothing is known of any call
   */
  run(script: ScriptCalls, level: ResolvedDurability, endsAt: number): Promise<ConfirmedReplies> {
    const run = this.#turn.then(() => this.#run(script, level, endsAt));
    this.#turn = run.catch(() => undefined);
    return run;
  }

  close(): void {
    this.#isClosed = true;
    this.#drop();
  }

  async #run(
    { source, sha1, calls }: ScriptCalls,
    level: ResolvedDurability,
    endsAt: number,
  ): Promise<ConfirmedReplies> {
    await this.#ensureCanConfirm(level);
    if (this.#isClosed) {
      throw closed();
    }
    const leftMs = Math.floor(endsAt - monotonicNow());
    if (leftMs < 1) {
      throw new RedisUnavailableError("there was no time left to send it");
    }
    const waitMs = Math.min(level.timeoutMs, Math.max(1, leftMs - limits.ENQUEUE_TRY_MIN_MS));
    const pipeline = (this.#client ??= this.#open()).pipeline();
    for (const [index, call] of calls.entries()) {
      // The first call brings the source, for a missing script would only be run after the wait.
      if (index === 0) pipeline.eval(source, ...call);
      else pipeline.evalsha(sha1, ...call);
    }
    pipeline.call(...waitCommand(level, waitMs));
    try {
      const callMs = Math.min(leftMs, waitMs + limits.DURABLE_ANSWER_MS);
      const results = (await this.#main.call(pipeline.exec(), callMs)) ?? [];
      const [waitError, waited] = results.pop() ?? [];
      const replies = results.map(([error, reply]) => (error ? this.#translate(error) : reply));
      if (waitError) this.#checks.clear(); // the server was changed since it was asked
      const confirmed = waitError
        ? this.#translate(waitError, level)
        : readConfirmations(level, waited);
      if ([...replies, confirmed].some((reply) => reply instanceof RedisUnavailableError)) {
        this.#drop();
      }
      return { replies, confirmed, waitedMs: waitMs };
    } catch (error) {
      this.#drop();
      throw this.#translate(error);
    }
  }

  /** Asked once for each kind of confirmation; a failed check is repeated by the next call. */
  async #ensureCanConfirm(level: ResolvedDurability): Promise<void> {
    const kind = `${level.command} ${level.required.local}`;
    let check = this.#checks.get(kind);
    if (!check) {
      check = this.#main.call(checkCanConfirm(this.#main.client, level));
      this.#checks.set(kind, check);
    }
    try {
      await check;
    } catch (error) {
      this.#checks.delete(kind);
      throw this.#translate(error, level);
    }
  }

  #translate(error: unknown, level?: ResolvedDurability): HoldfastError {
    if (this.#isClosed) {
      return closed();
    }
    const isCut = error instanceof Error && error.message === "Connection is closed.";
    const cause = isCut ? (this.#lastError ?? error) : error;
    return level ? translateWaitError(cause, level) : translateError(cause);
  }

  #open(): RedisClient {
    const client = duplicateForWaiting(this.#main.client);
    this.#lastError = undefined;
    // Kept for the message of the calls that fail for it.
    client.on("error", (error: Error) => {
      this.#lastError = error;
    });
    outliveSocketErrors(client);
    return client;
  }

  #drop(): void {
    this.#client?.disconnect();
    this.#client = undefined;
  }
}

function closed(): ClosedError {
  return new ClosedError("the queue was closed before Redis answered");
}

function duplicateForWaiting(client: RedisClient): RedisClient {
  const options = {
    lazyConnect: false,
    disconnectTimeout: limits.DISCONNECT_TIMEOUT_MS,
    connectTimeout: limits.CALL_TIMEOUT_MS,
    enableOfflineQueue: true,
    enableAutoPipelining: false,
    // A confirmation may take longer than other calls.
    socketTimeout: undefined,
    commandTimeout: undefined,
    blockingTimeout: undefined,
    // What was sent on a connection that ends is never sent again by ioredis.
    retryStrategy: null,
    reconnectOnError: null,
    maxRetriesPerRequest: null,
    autoResendUnfulfilledCommands: false,
  };
  if (!client.isCluster) {
    // A client of the application's may have selected another database since.
    const db = client.condition?.select;
    return client.duplicate(db === undefined ? options : { ...options, db });
  }
  return client.duplicate([], {
    lazyConnect: false,
    enableOfflineQueue: true,
    enableAutoPipelining: false,
    scaleReads: "master",
    clusterRetryStrategy: null,
    clusterNodeRetryStrategy: null,
    // ioredis 5 replaces the nodes' options where ioredis 6 merges them: a password must not get lost.
    redisOptions: { ...client.options?.redisOptions, ...options },
  });
}
