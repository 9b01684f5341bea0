/** Hears the wake-ups of one worker. They are hints: without them, it polls. */
import { untraced } from "../../telemetry/contexts.ts";
import { settlesWithin } from "../model/clock.ts";
import { RedisUnavailableError } from "../model/errors.ts";
import { SUBSCRIBE_TIMEOUT_MS } from "../model/limits.ts";
import type { Subscriber } from "../store/subscriber.ts";
import type { Part } from "./part.ts";

export interface WakerOptions {
  /** Opens the subscriber; undefined where the queue works without wake-ups. */
  readonly subscriber: (() => Subscriber) | undefined;
  readonly channel: string;
  readonly onWake: () => void;
  readonly onError: (error: unknown) => void;
}

export class Waker implements Part {
  readonly #options: WakerOptions;
  #subscriber: Subscriber | undefined;
  #isStopped = false;

  constructor(options: WakerOptions) {
    this.#options = options;
  }

  /** Resolves once the channel is heard, or after a second without. */
  async start(): Promise<void> {
    const { subscriber, channel, onWake } = this.#options;
    if (!subscriber || this.#subscriber || this.#isStopped) {
      return;
    }
    const subscription = { onWake, onError: (error: unknown) => this.#report(error) };
    const subscribing = untraced(() => {
      this.#subscriber = subscriber();
      return this.#subscriber.subscribe(channel, subscription);
    }).catch((error: unknown) => this.#report(error));
    if (!(await settlesWithin(subscribing, SUBSCRIBE_TIMEOUT_MS))) {
      const message = `no wake-ups within ${SUBSCRIBE_TIMEOUT_MS} ms: polling until the subscription stands`;
      this.#report(new RedisUnavailableError(message));
    }
  }

  stop(): void {
    this.#isStopped = true;
    this.#subscriber?.unsubscribe(this.#options.channel);
    this.#subscriber = undefined;
  }

  #report(error: unknown): void {
    if (!this.#isStopped) {
      this.#options.onError(error);
    }
  }
}
