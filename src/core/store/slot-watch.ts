/**
 * Keeps a cluster's subscriber where the slots of its channels are. It sends nothing that would tell it
 * that they have moved, so it has to ask: soon on a sign, then ever more seldom, for the node that
 * answers may not have heard of the move yet.
 */
import keySlot from "cluster-key-slot";
import { startTimer, type Timer } from "../model/clock.ts";
import { CLUSTER_REFRESH_MAX_MS, CLUSTER_REFRESH_MIN_MS } from "../model/limits.ts";
import type { RedisClient } from "./client.ts";

export interface SlotWatchOptions {
  readonly subscriber: RedisClient;
  /** The client that carries the scripts: their calls are sent on to where a slot is. */
  readonly queues: RedisClient;
  /** By channel. */
  readonly channels: ReadonlyMap<string, unknown>;
}

export class SlotWatch {
  readonly #options: SlotWatchOptions;
  #timer: Timer | undefined;
  #isAsking = false;

  constructor(options: SlotWatchOptions) {
    this.#options = options;
    options.queues.on("refresh", this.#onQueuesRefresh);
    options.subscriber.on("refresh", this.#onRefresh);
    options.subscriber.on("nodeError", this.#onNodeError);
    this.#askIn(CLUSTER_REFRESH_MAX_MS);
  }

  stop(): void {
    const { queues, subscriber } = this.#options;
    queues.off("refresh", this.#onQueuesRefresh);
    subscriber.off("refresh", this.#onRefresh);
    subscriber.off("nodeError", this.#onNodeError);
    this.#timer?.cancel();
  }

  /**
   * ioredis 5 takes it for an error that a node says that it has no longer a channel's slot. Not asked at
   * once: ioredis would connect at once to a node that is down, which is an error again.
   */
  readonly #onNodeError = (): void => {
    this.#askIn(CLUSTER_REFRESH_MIN_MS);
  };

  /** A script was sent elsewhere, or has failed. Clients that ask by themselves mostly find nothing new. */
  readonly #onQueuesRefresh = (): void => {
    const { queues, subscriber, channels } = this.#options;
    const slots = [...channels.keys()].map((channel) => keySlot(channel));
    if (slots.some((slot) => queues.slots?.[slot]?.[0] !== subscriber.slots?.[slot]?.[0])) {
      this.#ask(CLUSTER_REFRESH_MIN_MS);
    }
  };

  /** ioredis has asked by itself: a connection is lost, or a node has said that a slot has left it. */
  readonly #onRefresh = (): void => {
    if (!this.#isAsking && this.#options.subscriber.status === "ready") {
      this.#askIn(CLUSTER_REFRESH_MIN_MS);
    }
  };

  /** Now, and again after the pause. */
  #ask(pauseMs: number): void {
    this.#askIn(pauseMs);
    if (this.#options.subscriber.status === "ready") {
      this.#isAsking = true;
      this.#options.subscriber.refreshSlotsCache?.(() => {
        this.#isAsking = false;
      });
    }
  }

  #askIn(pauseMs: number): void {
    this.#timer?.cancel();
    this.#timer = startTimer(pauseMs, () => {
      this.#ask(Math.min(2 * pauseMs, CLUSTER_REFRESH_MAX_MS));
    });
  }
}
