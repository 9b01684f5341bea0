/** What a queue holds, read when metrics are collected. */
import {
  type Attributes,
  type BatchObservableResult,
  type Meter,
  type MeterProvider,
  metrics,
  type ObservableGauge,
} from "@opentelemetry/api";
import { startBackgroundTimer, type Timer, withDeadline } from "../core/model/clock.ts";
import { ClosedError, RedisUnavailableError } from "../core/model/errors.ts";
import { OBSERVE_ATTACH_INTERVAL_MS, OBSERVE_TIMEOUT_MS } from "../core/model/limits.ts";
import { contain, reportFailure } from "./containment.ts";
import { untraced } from "./contexts.ts";
import { meterOf } from "./instruments.ts";
import { ATTRIBUTES, METRICS } from "./names.ts";
import { warnOfOtherCopy } from "./registry.ts";

export interface QueueCounts {
  readonly delayed: number;
  readonly due: number;
  readonly processing: number;
  readonly dead: number;
  readonly oldestDueAgeMs: number | undefined;
}

export interface GaugeSource {
  readonly attributes: Attributes;
  readonly meterProvider: MeterProvider | undefined;
  readonly read: () => Promise<QueueCounts>;
}

export class QueueGauges {
  readonly #source: GaugeSource;
  #provider: MeterProvider | undefined;
  #timer: Timer | undefined;
  #detach: (() => void) | undefined;
  #isStopped = false;

  /** Observes from now on, or from when a meter provider is registered. */
  constructor(source: GaugeSource) {
    this.#source = source;
    this.#followProvider();
  }

  stop(): void {
    this.#isStopped = true;
    this.#timer?.cancel();
    this.#leaveProvider();
  }

  /**
   * Gauges of a provider that is not there yet would stay silent for ever, and those of one that was replaced
   * have no reader: the one in force is looked up again and again.
   */
  #followProvider(): void {
    contain("the meter provider", () => {
      const provider = this.#source.meterProvider ?? metrics.getMeterProvider();
      if (provider === this.#provider) return;
      this.#leaveProvider();
      const meter = meterOf(provider);
      if (!meter) return; // It may have one later.
      this.#provider = provider;
      this.#attach(meter);
    });
    if (!this.#detach) warnOfOtherCopy();
    this.#timer = startBackgroundTimer(OBSERVE_ATTACH_INTERVAL_MS, () => this.#followProvider());
  }

  #attach(meter: Meter): void {
    const depth = meter.createObservableGauge(METRICS.queueDepth, {
      unit: "{message}",
      description: "Jobs in the queue, by state.",
    });
    const oldestDueAge = meter.createObservableGauge(METRICS.oldestDueAge, {
      unit: "s",
      description: "How long the oldest due job has been waiting; 0 if none is due.",
    });
    const gauges = [depth, oldestDueAge];
    const observe = (result: BatchObservableResult) => this.#observe(result, depth, oldestDueAge);
    meter.addBatchObservableCallback(observe, gauges);
    this.#detach = () => meter.removeBatchObservableCallback(observe, gauges);
  }

  #leaveProvider(): void {
    contain("an instrument", () => this.#detach?.());
    this.#detach = undefined;
    this.#provider = undefined;
  }

  /** One read for all gauges, with no second try. What cannot be read is not told. */
  async #observe(
    result: BatchObservableResult,
    depth: ObservableGauge,
    oldestDueAge: ObservableGauge,
  ): Promise<void> {
    if (this.#isStopped) return;
    const { attributes, read } = this.#source;
    try {
      const late = () => new RedisUnavailableError(`no counts in ${OBSERVE_TIMEOUT_MS} ms`);
      const counts = await withDeadline(untraced(read), OBSERVE_TIMEOUT_MS, late);
      const states = {
        scheduled: counts.delayed,
        due: counts.due,
        leased: counts.processing,
        dead: counts.dead,
      };
      for (const [state, count] of Object.entries(states)) {
        result.observe(depth, count, { ...attributes, [ATTRIBUTES.queueState]: state });
      }
      result.observe(oldestDueAge, (counts.oldestDueAgeMs ?? 0) / 1_000, attributes);
    } catch (error) {
      if (error instanceof ClosedError) {
        this.stop();
      } else {
        reportFailure("reading a queue's counts", error);
      }
    }
  }
}
