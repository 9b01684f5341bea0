/** A client that carries a queue's scripts: opened here and closed here, or borrowed and left open. */
import { Redis, type RedisOptions } from "ioredis";
import { settlesWithin, startTimer } from "../model/clock.ts";
import { ClosedError, type HoldfastError } from "../model/errors.ts";
import { CALL_TIMEOUT_MS, CLOSE_FLUSH_MS, DISCONNECT_TIMEOUT_MS } from "../model/limits.ts";
import type { ResolvedQueueOptions } from "../model/queue-options.ts";
import { ClientWatch } from "./client-watch.ts";
import { isRedisClient, outliveSocketErrors, type RedisClient } from "./client.ts";
import { translateError } from "./redis-errors.ts";
import { checkServer } from "./server-check.ts";

/**
 * Failed calls come back at once instead of being resent by ioredis: holdfast repeats them itself, and
 * knows when to stop. A READONLY answer after a failover leads to a new connection.
 */
const OWNED_CLIENT_OPTIONS = {
  lazyConnect: true,
  maxRetriesPerRequest: 0,
  connectTimeout: CALL_TIMEOUT_MS,
  disconnectTimeout: DISCONNECT_TIMEOUT_MS,
  socketTimeout: CALL_TIMEOUT_MS,
  retryStrategy: (times: number) =>
    Math.min(50 * 2 ** (times - 1), 2_000) + Math.floor(Math.random() * 50),
  reconnectOnError: (error: Error) => (error.message.includes("READONLY") ? 1 : false),
} satisfies RedisOptions;

export class Connection {
  readonly client: RedisClient;
  readonly isOwned: boolean;
  readonly #failCall = new Set<(error: Error) => void>();
  readonly #allowUnsafeEviction: boolean;
  #check: Promise<void> | undefined;
  #isClosed = false;
  readonly #watch: ClientWatch;

  constructor({ connection, allowUnsafeEviction }: ResolvedQueueOptions) {
    this.#allowUnsafeEviction = allowUnsafeEviction;
    this.isOwned = typeof connection === "string" || !isRedisClient(connection);
    this.client = this.isOwned
      ? openClient(connection as string | RedisOptions)
      : (connection as RedisClient);
    this.#watch = ClientWatch.of(this.client);
    if (this.isOwned) {
      this.client.on("error", this.#onError);
      outliveSocketErrors(this.client);
    }
  }

  /** Where the server is; nothing where that is for Sentinels or a cluster to say. */
  get address(): { readonly address?: string | undefined; readonly port?: number | undefined } {
    const { options, isCluster } = this.client;
    if (!options || isCluster || options.sentinels) return {};
    return options.path ? { address: options.path } : { address: options.host, port: options.port };
  }

  /** Checks the server once; a failed check is repeated by the next call. */
  ensureSafe(): Promise<void> {
    this.#check ??= this.call(checkServer(this.client, this.#allowUnsafeEviction)).catch(
      (error: unknown) => {
        this.#check = undefined;
        throw translateError(error, this.#watch.lastError);
      },
    );
    return this.#check;
  }

  /** Grows whenever the connection closes: a call around such a moment may have been sent twice. */
  get epoch(): number {
    return this.#watch.epoch;
  }

  /** Why the connection was last lost, until it is back. */
  get lastError(): Error | undefined {
    return this.#watch.lastError;
  }

  /** The call's reply, or its failure after `timeoutMs` or at the connection's close. */
  async call<T>(reply: Promise<T>, timeoutMs = CALL_TIMEOUT_MS): Promise<T> {
    let stop: (() => void) | undefined;
    const failure = new Promise<never>((_, fail) => {
      const timer = startTimer(timeoutMs, () => fail(this.#noAnswer(timeoutMs)));
      this.#failCall.add(fail);
      stop = () => {
        timer.cancel();
        this.#failCall.delete(fail);
      };
      if (this.#isClosed) {
        fail(closed());
      }
    });
    try {
      return await Promise.race([reply, failure]);
    } catch (error) {
      throw this.#isClosed ? closed() : error;
    } finally {
      stop?.();
    }
  }

  async close(): Promise<void> {
    if (this.#isClosed) {
      return;
    }
    this.#isClosed = true;
    this.#watch.release();
    if (this.isOwned) {
      // Whether or not the server still takes leave, the socket goes.
      if (this.client.status === "ready") {
        await settlesWithin(this.client.quit(), CLOSE_FLUSH_MS);
      }
      this.client.disconnect();
    }
    // ioredis itself leaves calls unanswered that wait for a reconnect when it is told to disconnect.
    for (const fail of this.#failCall) {
      fail(closed());
    }
  }

  #noAnswer(timeoutMs: number): HoldfastError {
    const message = `no answer within ${timeoutMs} ms`;
    const reason = this.#watch.lastError
      ? `${message}, after: ${this.#watch.lastError.message}`
      : message;
    return translateError(new Error(reason));
  }

  /** Kept for the message of the call that fails for it; the calls themselves report the failure. */
  readonly #onError = (error: Error): void => {
    this.#watch.lastError = error;
  };
}

function closed(): ClosedError {
  return new ClosedError("the queue was closed before Redis answered");
}

function openClient(connection: string | RedisOptions): RedisClient {
  const client =
    typeof connection === "string"
      ? new Redis(connection, OWNED_CLIENT_OPTIONS)
      : new Redis(Object.assign({}, OWNED_CLIENT_OPTIONS, connection) as object);
  return client as unknown as RedisClient;
}
