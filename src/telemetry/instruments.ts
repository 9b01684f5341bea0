/**
 * The instruments of the meter provider in force. Those of a provider that is not there yet would do
 * nothing for ever, so they are made when one is seen, and anew when it changes.
 */
import {
  type Counter,
  createNoopMeter,
  type Gauge,
  type Histogram,
  type Meter,
  type MeterProvider,
  metrics,
  type UpDownCounter,
} from "@opentelemetry/api";
import { contain } from "./containment.ts";
import {
  ATTEMPT_BUCKETS,
  DURATION_BUCKETS,
  LAG_BUCKETS,
  METRICS,
  SCHEMA_URL,
  SCOPE_NAME,
  SCOPE_VERSION,
} from "./names.ts";
import { registry, warnOfOtherCopy } from "./registry.ts";

export interface Instruments {
  readonly sent: Counter;
  readonly consumed: Counter;
  readonly operationDuration: Histogram;
  readonly processDuration: Histogram;
  readonly scheduleLag: Histogram;
  readonly attempts: Histogram;
  readonly redeliveries: Counter;
  readonly invalidContexts: Counter;
  readonly leaseExpirations: Counter;
  readonly leasesLost: Counter;
  readonly deadLetters: Counter;
  readonly inflight: UpDownCounter;
  readonly clockOffset: Gauge;
}

/** What the API answers with as long as nobody has registered a provider. */
const NOBODY = createNoopMeter();

export class InstrumentSource {
  readonly #given: MeterProvider | undefined;
  #provider: MeterProvider | undefined;
  #instruments: Instruments | undefined;

  /** @param given a provider of the caller's own; otherwise the registered one is used */
  constructor(given: MeterProvider | undefined) {
    this.#given = given;
  }

  /** Undefined where nobody listens. Cheap: asked with each job. */
  get current(): Instruments | undefined {
    if (!this.#given && registry().metrics === undefined) {
      return undefined;
    }
    const provider = this.#given ?? metrics.getMeterProvider();
    if (provider !== this.#provider) {
      this.#provider = provider;
      this.#instruments = contain("the meter provider", () => {
        const meter = meterOf(provider);
        return meter && createInstruments(meter);
      });
    }
    if (!this.#instruments) warnOfOtherCopy();
    return this.#instruments;
  }
}

/** Undefined where nobody listens. */
export function meterOf(provider: MeterProvider): Meter | undefined {
  const meter = provider.getMeter(SCOPE_NAME, SCOPE_VERSION, { schemaUrl: SCHEMA_URL });
  return meter === NOBODY ? undefined : meter;
}

function createInstruments(meter: Meter): Instruments {
  const counter = (name: string, unit: string, description: string) =>
    meter.createCounter(name, { unit, description });
  const histogram = (name: string, unit: string, buckets: number[], description: string) =>
    meter.createHistogram(name, {
      unit,
      description,
      advice: { explicitBucketBoundaries: [...buckets] },
    });
  return {
    sent: counter(METRICS.sent, "{message}", "Jobs that were sent to Redis, failed ones included."),
    consumed: counter(METRICS.consumed, "{message}", "Jobs that were claimed."),
    operationDuration: histogram(
      METRICS.operationDuration,
      "s",
      DURATION_BUCKETS,
      "How long enqueues, settlements, and claims that found jobs or failed took.",
    ),
    processDuration: histogram(
      METRICS.processDuration,
      "s",
      DURATION_BUCKETS,
      "How long handlers ran.",
    ),
    scheduleLag: histogram(
      METRICS.scheduleLag,
      "s",
      LAG_BUCKETS,
      "How long jobs waited from their due time to their claim, by Redis's clock.",
    ),
    attempts: histogram(
      METRICS.attempts,
      "{attempt}",
      ATTEMPT_BUCKETS,
      "Attempts of jobs that were completed or died.",
    ),
    redeliveries: counter(
      METRICS.redeliveries,
      "{message}",
      "Claims of jobs that had failed before.",
    ),
    invalidContexts: counter(
      METRICS.invalidContexts,
      "{message}",
      "Deliveries whose stored trace context could not be read.",
    ),
    leaseExpirations: counter(
      METRICS.leaseExpirations,
      "{lease}",
      "Expired leases that this process gave back.",
    ),
    leasesLost: counter(
      METRICS.leasesLost,
      "{lease}",
      "Leases that were refused or ran out: their jobs may run twice.",
    ),
    deadLetters: counter(METRICS.deadLetters, "{message}", "Jobs that were buried."),
    inflight: meter.createUpDownCounter(METRICS.inflight, {
      unit: "{message}",
      description: "Handlers that run.",
    }),
    clockOffset: meter.createGauge(METRICS.clockOffset, {
      unit: "s",
      description: "How far Redis's clock is ahead of this machine's.",
    }),
  };
}
