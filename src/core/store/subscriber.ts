/** The connection that hears wake-ups: one for all queues of a process that share a Redis. */
import { DISCONNECT_TIMEOUT_MS } from "../model/limits.ts";
import type { ResolvedQueueOptions } from "../model/queue-options.ts";
import { outliveSocketErrors, type RedisClient } from "./client.ts";
import type { Connection } from "./connection.ts";
import { translateError } from "./redis-errors.ts";
import { SlotWatch } from "./slot-watch.ts";

export interface Subscription {
  /** Called for each wake-up, and whenever some may have been missed. */
  onWake(): void;
  /** Called when the channel cannot be subscribed to. */
  onError(error: unknown): void;
}

/** By URL, options object or borrowed client: those that name the same Redis share a subscriber. */
const subscribers = new Map<unknown, Subscriber>();

export class Subscriber {
  readonly #client: RedisClient;
  readonly #slotWatch: SlotWatch | undefined;
  readonly #registryKey: unknown;
  readonly #subscriptions = new Map<string, Subscription>();
  /** Channels whose first SSUBSCRIBE has no answer yet; ioredis sends it once there is a connection. */
  readonly #pending = new Set<string>();

  /** The subscriber for this Redis, opened by the first channel and closed by the last one's end. */
  static of({ connection: registryKey }: ResolvedQueueOptions, connection: Connection): Subscriber {
    let subscriber = subscribers.get(registryKey);
    if (!subscriber) {
      subscriber = new Subscriber(registryKey, connection.client);
      subscribers.set(registryKey, subscriber);
    }
    return subscriber;
  }

  private constructor(registryKey: unknown, client: RedisClient) {
    this.#registryKey = registryKey;
    this.#client = duplicateForSubscribing(client);
    this.#client.on("ready", this.#onReady);
    this.#client.on("smessage", this.#onMessage);
    // A cluster's client has subscribed anew by itself, for a slot has moved or a node was replaced.
    this.#client.on("subscribersReady", this.#wakeAll);
    // A lost connection is mended by ioredis and costs at most a poll interval; nothing to report.
    this.#client.on("error", () => undefined);
    outliveSocketErrors(this.#client);
    this.#slotWatch = client.isCluster
      ? new SlotWatch({ subscriber: this.#client, queues: client, channels: this.#subscriptions })
      : undefined;
  }

  async subscribe(channel: string, subscription: Subscription): Promise<void> {
    this.#subscriptions.set(channel, subscription);
    this.#pending.add(channel);
    try {
      await this.#client.ssubscribe(channel);
    } catch (error) {
      throw translateError(error);
    } finally {
      this.#pending.delete(channel);
    }
  }

  /** Ends at once on this side; the server hears of it, or of the closed connection. */
  unsubscribe(channel: string): void {
    this.#subscriptions.delete(channel);
    if (this.#subscriptions.size === 0) {
      subscribers.delete(this.#registryKey);
      this.#slotWatch?.stop();
      this.#client.disconnect();
    } else if (this.#client.status === "ready") {
      // If this fails, the connection is gone and the channel with it.
      this.#client.sunsubscribe(channel).catch(() => undefined);
    }
  }

  readonly #onMessage = (channel: string): void => {
    this.#subscriptions.get(channel)?.onWake();
  };

  readonly #wakeAll = (): void => {
    for (const subscription of this.#subscriptions.values()) subscription.onWake();
  };

  /** After each connect: subscribe again, then let everyone look, for wake-ups may have been missed. */
  readonly #onReady = (): void => {
    for (const [channel, subscription] of this.#subscriptions) {
      if (this.#pending.has(channel)) {
        continue;
      }
      this.#client.ssubscribe(channel).then(
        () => this.#subscriptions.get(channel)?.onWake(),
        (error: unknown) => subscription.onError(translateError(error)),
      );
    }
  };
}

function duplicateForSubscribing(client: RedisClient): RedisClient {
  const options = {
    lazyConnect: false,
    disconnectTimeout: DISCONNECT_TIMEOUT_MS,
    autoResubscribe: false,
    // It subscribes before it is connected.
    enableOfflineQueue: true,
    maxRetriesPerRequest: null,
    // Channels are not keys: a client's key prefix must not change them.
    keyPrefix: "",
    socketTimeout: undefined,
    commandTimeout: undefined,
  };
  if (!client.isCluster) {
    // It sends nothing that a silent primary would leave unanswered: Sentinels tell it to leave.
    return client.duplicate({ ...options, failoverDetector: true });
  }
  // ioredis 5 replaces the nodes' options where ioredis 6 merges them: a password must not get lost.
  // Lazy: only nodes with channels matter, and a silent one must not keep the others waiting.
  const redisOptions = { ...client.options?.redisOptions, ...options, lazyConnect: true };
  return client.duplicate([], {
    keyPrefix: "",
    enableOfflineQueue: true,
    shardedSubscribers: true,
    // The slot watch asks instead.
    slotsRefreshInterval: 0,
    redisOptions,
  });
}
