/**
 * The names of all that is emitted: of the semantic conventions for messaging (1.44, in development),
 * copied here, and under `holdfast.*` for what those have no name for. Units: s, and things in braces.
 */
export const SCOPE_NAME = "holdfast";
/** The package's own; a test compares. */
export const SCOPE_VERSION = "0.1.0";
export const SCHEMA_URL = "https://opentelemetry.io/schemas/1.44.0";
export const MESSAGING_SYSTEM = "holdfast";

/** `messaging.operation.name`, and the `messaging.operation.type` of each. */
export const OPERATIONS = {
  create: "create",
  enqueue: "send",
  claim: "receive",
  process: "process",
  complete: "settle",
  retry: "settle",
  release: "settle",
  dead_letter: "settle",
} as const;

export type OperationName = keyof typeof OPERATIONS;
export type SettleName = "complete" | "retry" | "release" | "dead_letter";

export const ATTRIBUTES = {
  system: "messaging.system",
  destination: "messaging.destination.name",
  operationName: "messaging.operation.name",
  operationType: "messaging.operation.type",
  messageId: "messaging.message.id",
  messageCount: "messaging.batch.message_count",
  clientId: "messaging.client.id",
  serverAddress: "server.address",
  serverPort: "server.port",
  errorType: "error.type",
  /** s, until the job is due; if above 0. */
  delay: "holdfast.job.delay",
  /** true where the id was taken already. */
  deduplicated: "holdfast.job.deduplicated",
  /** From 1. */
  attempt: "holdfast.job.attempt",
  maxAttempts: "holdfast.job.max_attempts",
  /** s, from the due time to the claim, both by Redis's clock. */
  scheduleLag: "holdfast.job.schedule_lag",
  deliveryReason: "holdfast.job.delivery_reason",
  outcome: "holdfast.job.outcome",
  /** s, until the job is due again; if above 0. */
  retryDelay: "holdfast.job.retry_delay",
  leaseOutcome: "holdfast.lease.outcome",
  deadLetterReason: "holdfast.dead_letter.reason",
  queueState: "holdfast.queue.state",
} as const;

export const EVENTS = {
  leaseLost: "holdfast.lease.lost",
  leaseExtended: "holdfast.lease.extended",
  released: "holdfast.job.released",
} as const;

export const METRICS = {
  sent: "messaging.client.sent.messages",
  consumed: "messaging.client.consumed.messages",
  operationDuration: "messaging.client.operation.duration",
  processDuration: "messaging.process.duration",
  scheduleLag: "holdfast.job.schedule_lag",
  attempts: "holdfast.job.attempts",
  redeliveries: "holdfast.job.redeliveries",
  invalidContexts: "holdfast.job.invalid_contexts",
  leaseExpirations: "holdfast.lease.expirations",
  leasesLost: "holdfast.lease.lost",
  deadLetters: "holdfast.job.dead_letters",
  inflight: "holdfast.worker.inflight",
  queueDepth: "holdfast.queue.depth",
  oldestDueAge: "holdfast.queue.oldest_due_age",
  clockOffset: "holdfast.redis.clock_offset",
} as const;

/** As the conventions advise, in seconds. */
export const DURATION_BUCKETS = [
  0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10,
];
/** In seconds: lateness is small, or it is an incident. */
export const LAG_BUCKETS = [
  0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1_800, 3_600,
];
export const ATTEMPT_BUCKETS = [1, 2, 3, 5, 8, 13, 21];
