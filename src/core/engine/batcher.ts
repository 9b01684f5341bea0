/**
 * Group commit. A lone call goes out at once; calls made while earlier batches are on the wire wait
 * for one of them to come back, and then travel together. Nothing ever waits for a timer. What fills a
 * batch gains nothing by waiting, and may go out while the next calls are still being made.
 */
import { ClosedError, HoldfastError, OverloadedError } from "../model/errors.ts";
import { MAX_PENDING_BYTES, MAX_PENDING_CALLS } from "../model/limits.ts";
import type { Part } from "./part.ts";

interface PendingCall<Item, Reply> {
  readonly item: Item;
  readonly bytes: number;
  resolve(reply: Reply): void;
  reject(error: unknown): void;
}

export interface BatcherOptions<Item, Reply> {
  /** Sends a batch; the replies come in its order. One that is an error rejects its call. */
  readonly send: (items: Item[]) => Promise<(Reply | HoldfastError)[]>;
  readonly maxItems: number;
  readonly maxBytes?: number;
  readonly maxBatchesInFlight: number;
  /** Batches on the wire up to which a full one goes out at once. Default: none, each waits for its turn, as where there are groups. */
  readonly maxFullBatchesInFlight?: number;
  /** Only items of the same group travel together. Default: all are of one group. */
  readonly groupOf?: (item: Item) => string;
}

export class Batcher<Item, Reply> implements Part {
  readonly #options: BatcherOptions<Item, Reply>;
  #pending: PendingCall<Item, Reply>[] = [];
  #pendingBytes = 0;
  #batchesInFlight = 0;
  #isFlushScheduled = false;
  #isStopped = false;
  #onIdle: (() => void)[] = [];

  constructor(options: BatcherOptions<Item, Reply>) {
    this.#options = options;
  }

  start(): void {
    // A batcher runs on demand.
  }

  /**
   * @param bytes what the item weighs against the batch's limit of bytes
   * @throws ClosedError after a stop, OverloadedError if too many calls wait already, and what was answered
   */
  add(item: Item, bytes = 0): Promise<Reply> {
    return new Promise((resolve, reject) => {
      if (this.#isStopped) {
        reject(new ClosedError("this queue or worker is closed: create a new one"));
        return;
      }
      if (
        this.#pending.length >= MAX_PENDING_CALLS ||
        this.#pendingBytes + bytes > MAX_PENDING_BYTES
      ) {
        reject(
          new OverloadedError(
            `${this.#pending.length} calls with ${this.#pendingBytes} bytes wait for Redis already: ` +
              "await earlier calls before making more",
          ),
        );
        return;
      }
      this.#pending.push({ item, bytes, resolve, reject });
      this.#pendingBytes += bytes;
      this.#sendFull();
      this.#scheduleFlush();
    });
  }

  /** Refuses further calls; resolves when those made before have been answered. */
  stop(): Promise<void> {
    this.#isStopped = true;
    return this.idle();
  }

  /** Resolves when nothing waits and nothing is on the wire. */
  idle(): Promise<void> {
    if (this.#pending.length === 0 && this.#batchesInFlight === 0) {
      return Promise.resolve();
    }
    return new Promise((resolve) => {
      this.#onIdle.push(resolve);
    });
  }

  /** Whether what waits fills a batch. */
  get #isFull(): boolean {
    const { maxItems, maxBytes = Number.POSITIVE_INFINITY } = this.#options;
    return this.#pending.length >= maxItems || this.#pendingBytes >= maxBytes;
  }

  #sendFull(): void {
    const { maxFullBatchesInFlight = 0 } = this.#options;
    while (this.#isFull && this.#batchesInFlight < maxFullBatchesInFlight) {
      this.#sendBatch();
    }
  }

  /** After the current round of promise callbacks, so that calls made in it share a batch. */
  #scheduleFlush(): void {
    const { maxBatchesInFlight } = this.#options;
    const hasTurn = this.#pending.length > 0 && this.#batchesInFlight < maxBatchesInFlight;
    if (hasTurn && !this.#isFlushScheduled) {
      this.#isFlushScheduled = true;
      process.nextTick(() => {
        this.#isFlushScheduled = false;
        this.#flush();
      });
    }
  }

  #flush(): void {
    this.#sendFull();
    while (this.#pending.length > 0 && this.#batchesInFlight < this.#options.maxBatchesInFlight) {
      this.#sendBatch();
    }
  }

  #sendBatch(): void {
    const batch = this.#takeBatch();
    this.#batchesInFlight += 1;
    void this.#send(batch).finally(() => {
      this.#batchesInFlight -= 1;
      this.#flush();
      if (this.#pending.length === 0 && this.#batchesInFlight === 0) {
        for (const resolve of this.#onIdle.splice(0)) resolve();
      }
    });
  }

  #takeBatch(): PendingCall<Item, Reply>[] {
    const { maxItems, maxBytes = Number.POSITIVE_INFINITY, groupOf } = this.#options;
    const group = groupOf?.(this.#pending[0]!.item);
    const batch: PendingCall<Item, Reply>[] = [];
    const others: PendingCall<Item, Reply>[] = [];
    let bytes = 0;
    let at = 0;
    for (; at < this.#pending.length; at += 1) {
      const call = this.#pending[at]!;
      if (groupOf?.(call.item) !== group) {
        others.push(call);
        continue;
      }
      if (batch.length === maxItems || (batch.length > 0 && bytes + call.bytes > maxBytes)) {
        break;
      }
      batch.push(call);
      bytes += call.bytes;
    }
    this.#pendingBytes -= bytes;
    this.#pending.splice(0, at);
    if (others.length > 0) {
      this.#pending = others.concat(this.#pending);
    }
    return batch;
  }

  async #send(batch: PendingCall<Item, Reply>[]): Promise<void> {
    try {
      const replies = await this.#options.send(batch.map((call) => call.item));
      for (let index = 0; index < batch.length; index += 1) {
        const reply = replies[index] as Reply | HoldfastError;
        if (reply instanceof HoldfastError) {
          batch[index]!.reject(reply);
        } else {
          batch[index]!.resolve(reply);
        }
      }
    } catch (error) {
      for (const call of batch) {
        call.reject(error);
      }
    }
  }
}
