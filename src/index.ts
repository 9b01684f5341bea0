/** The public surface of holdfast. */
export { DeadLetters } from "./core/dead-letters.ts";
export type { DeadListOptions, DeadPage, DeadSelection } from "./core/dead-letters.ts";
export type { Delivery, NackOptions } from "./core/engine/manual-delivery.ts";
export { exponential, fixed } from "./core/model/backoff.ts";
export type { Backoff, ExponentialOptions } from "./core/model/backoff.ts";
export type { BinaryCodec, Codec, TextCodec } from "./core/model/codec.ts";
export type { AofDurability, Durability, ReplicaDurability } from "./core/model/durability.ts";
export type { DueOptions, EnqueueOptions } from "./core/model/enqueue-options.ts";
export type { Headers } from "./core/model/envelope.ts";
export {
  ClockJumpError,
  ClosedError,
  DurabilityError,
  EnqueueUnconfirmedError,
  HandlerTimeoutError,
  HoldfastError,
  IncompatibleDataError,
  InvalidOptionError,
  LeaseLostError,
  OverloadedError,
  PayloadError,
  QueueFullError,
  RedisRefusedError,
  RedisUnavailableError,
  UnexpectedError,
  UnsafeRedisError,
  WorkerClosingError,
} from "./core/model/errors.ts";
export type { Confirmations, HoldfastErrorCode } from "./core/model/errors.ts";
export type { Handler, HandlerContext, Job, JobSnapshot, JobState } from "./core/model/job.ts";
export type { Connection, QueueOptions } from "./core/model/queue-options.ts";
export { DeadLetter, RetryLater } from "./core/model/signals.ts";
export type { TraceMode } from "./core/model/trace-mode.ts";
export { formatVerifyReport } from "./core/model/verify-report.ts";
export type { Breach, BreachKind, VerifyReport } from "./core/model/verify-report.ts";
export type { ClaimOptions, WorkerOptions } from "./core/model/worker-options.ts";
export { observeQueue } from "./core/observe-queue.ts";
export type { QueueObserver } from "./core/observe-queue.ts";
export { Queue } from "./core/queue.ts";
export type { EnqueueResult, NewJobItem, QueueStats } from "./core/queue-results.ts";
export type { SettleResult } from "./core/store/messages.ts";
export { Worker } from "./core/worker.ts";
export type { CloseSummary, WorkerHealth } from "./core/worker-results.ts";
export type {
  CompletedEvent,
  DeadEvent,
  LeaseLostEvent,
  RetriedEvent,
  StalledEvent,
  WorkerEventMap,
} from "./core/worker-events.ts";
