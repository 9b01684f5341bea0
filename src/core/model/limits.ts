/**
 * Every bound of holdfast in one place, each with its reason. Scripts block the whole server while
 * they run, so what one call may carry is bounded; so is what waits in memory, and every wait.
 */

const KIB = 1024;
const MIB = 1024 * KIB;

/** Largest integer that a sorted set's score and a JavaScript number both hold exactly. */
export const MAX_TIME_MS = Number.MAX_SAFE_INTEGER;
/** The latest moment that a Date can hold: due times are answered as Dates. */
export const MAX_DATE_MS = 8_640_000_000_000_000;
/** Longest span accepted for any timeout, delay or interval: a hundred years catches a wrong unit. */
export const MAX_DURATION_MS = 100 * 366 * 24 * 60 * 60 * 1000;

/** Names stand in each of a queue's nine keys. */
export const MAX_QUEUE_NAME_BYTES = 128;
export const MAX_PREFIX_BYTES = 64;
/** Each worker watches each shard: their number is paid for in idle commands. */
export const MAX_SHARDS = 256;
/** A change of their number takes a few round trips: one that stands still for longer is that of a dead process. */
export const CHANGE_PATIENCE_MS = 1_000;
/** Of processes that change it at the same time, one comes to its end in each try. */
export const CHANGE_TRIES = 10;
/** Each byte of an id is stored twice, in `jobs` and in the sorted set. */
export const MAX_ID_BYTES = 128;
/** Default for `maxPayloadBytes`: larger bodies belong in an object store, with their address here. */
export const DEFAULT_MAX_PAYLOAD_BYTES = MIB;
/** Headers travel with every delivery; they are for context, not for data. */
export const MAX_HEADERS = 64;
export const MAX_HEADERS_BYTES = 8 * KIB;
/** What a propagator may add to a job: a trace's context, its state and some baggage. */
export const MAX_TRACE_HEADERS_BYTES = 2 * KIB;
/** A failure is kept short: enough for the message and the top of the stack. */
export const MAX_ERROR_LENGTH = KIB;

/** Jobs in one `enqueue` call of the script: about 0.5 ms of server time. */
export const ENQUEUE_BATCH_JOBS = 200;
/** Bytes of envelopes in one `enqueue` call, but for a single larger one. */
export const ENQUEUE_BATCH_BYTES = 512 * KIB;
/** Jobs in one `ack`, `nack`, `bury` or `extend`. */
export const SETTLE_BATCH_JOBS = 200;
/** Jobs in one `claim`: above a hundred, the latency of others suffers more than throughput gains. */
export const CLAIM_BATCH_JOBS = 100;
/** Claims are not made smaller than this for the sake of overlapping them with the work. */
export const CLAIM_SIZE_WORTH_SPLITTING = 32;
/** What a job that does nothing costs its worker's process (docs/decisions/0011-speed.md), for the size of claims. */
export const SHORT_JOB_MS = 0.01;
/** Bytes of envelopes after which a reply of `claim` or `peek` is cut. */
export const REPLY_BYTES = MIB;
/** Leases given back by one `reap`, ids looked at by one admin call. */
export const REAP_BATCH_JOBS = 100;
export const ADMIN_BATCH_JOBS = 100;
/** Entries of one audit page: about 0.3 ms of server time. */
export const VERIFY_PAGE_ENTRIES = 100;
/** Bytes of a page above which the next one is made smaller. */
export const VERIFY_PAGE_BYTES = 128 * KIB;
/** Leases that one `mend` may search through: about 1 ms a thousand. */
export const MEND_MAX_LEASES = 3_000;
/** Jobs in no place that an audit sets aside before it looks at `processing` again. */
export const VERIFY_MAX_UNPLACED = 10_000;
/** How often it looks: each time, nearly all of those that were claimed meanwhile are found. */
export const VERIFY_LOOKS = 3;
/** Findings that one audit reports in full; the rest is counted, up to here each id once. */
export const VERIFY_MAX_FINDINGS = 1_000;
export const VERIFY_MAX_DISTINCT = 100_000;

/** Batches of one kind on the wire: one being built by the server while the next one travels. */
export const BATCHES_IN_FLIGHT = 2;
/** Of new jobs, where they fill batches: so that Redis works while the next ones are made. */
export const FULL_BATCHES_IN_FLIGHT = 5;
/** Calls waiting for their batch, by number and by bytes: what a producer may pile up in memory. */
export const MAX_PENDING_CALLS = 100_000;
export const MAX_PENDING_BYTES = 256 * MIB;
/**
 * Jobs, and bytes, of an `enqueueMany` handed to the batches at a time, and how many such slices: enough to
 * keep the batches full. With larger ones the promises outlive the young garbage, which cost a fifth more.
 */
export const ENQUEUE_MANY_SLICE = 1_000;
export const ENQUEUE_MANY_SLICE_BYTES = 8 * MIB;
export const ENQUEUE_MANY_SLICES_IN_FLIGHT = 2;
/** Manual claims that may wait at the same time on one queue object. */
export const MAX_CONCURRENT_CLAIMS = 256;
/** Outcomes that may wait for Redis before a worker stops claiming, on top of its concurrency. */
export const MAX_UNSETTLED_JOBS = 1_000;

/** Jobs, and bytes, that share one WAIT: ten batches, so that a thousand concurrent enqueues need few. */
export const DURABLE_GROUP_JOBS = 10 * ENQUEUE_BATCH_JOBS;
export const DURABLE_GROUP_BYTES = 10 * ENQUEUE_BATCH_BYTES;
/** More replicas than anyone has: catches a wrong unit. */
export const MAX_REPLICAS = 100;
/** Replicas confirm within a round trip, but a disk with `appendfsync everysec` takes one to two seconds. */
export const DEFAULT_DURABILITY_TIMEOUT_MS = 3_000;
/** Long enough for a replica that catches up. */
export const MAX_DURABILITY_TIMEOUT_MS = 60_000;
/** A connection whose WAIT has been over for this long without an answer is given up for a new one. */
export const DURABLE_ANSWER_MS = 2_000;

/** A try of a batch is given this long, also where one of its jobs has less time left. */
export const ENQUEUE_TRY_MIN_MS = 50;
/** A call that has no answer by then counts as failed. Long against a round trip, short against a lease. */
export const CALL_TIMEOUT_MS = 5_000;
/** One node of a cluster is waited for this long where the others can do without it. */
export const NODE_TIMEOUT_MS = 1_000;
/** A cluster's subscriber asks where slots are, soon after a sign that they have moved, then ever more seldom. */
export const CLUSTER_REFRESH_MIN_MS = 1_000;
/** Each time ioredis opens a connection: two to four commands, so less than one a minute beside a worker's 12 looks. */
export const CLUSTER_REFRESH_MAX_MS = 300_000;
/** A worker starts without wake-ups if its subscription takes longer: they are hints. */
export const SUBSCRIBE_TIMEOUT_MS = 1_000;
/** What `close` grants to the last calls, beyond its own timeout. */
export const CLOSE_FLUSH_MS = 2_000;
/** A socket that does not close by itself is destroyed after this: nothing is left to be sent on it. */
export const DISCONNECT_TIMEOUT_MS = 100;
/** Pauses between tries of a failing call. */
export const RETRY_PAUSE_MIN_MS = 50;
export const RETRY_PAUSE_MAX_MS = 1_000;
/** Spread between the workers that know of the same expiring lease. Part of the second that recovery may take. */
export const REAP_JITTER_MS = 200;
/** How late a look may be before `health()` turns red: a call's timeout and a retry. */
export const LOOK_LATENESS_ALLOWED_MS = CALL_TIMEOUT_MS + RETRY_PAUSE_MAX_MS;
/** A jump of Redis's clock that a worker reports. NTP corrects less without a word. */
export const CLOCK_JUMP_REPORTED_MS = 5_000;
/** Between two looks far apart, a clock may also have been slewed: chrony does so by up to 8.3 %. */
export const CLOCK_SLEW_ALLOWED = 0.1;
/** Attempts for which the reaper computes a backoff of their own; later ones share the last. */
export const REAP_BACKOFF_STEPS = 20;

export const MIN_VISIBILITY_TIMEOUT_MS = 100;
/** Twelve hours, as in SQS: a job that runs longer should be split, or extended by its handler. */
export const MAX_VISIBILITY_TIMEOUT_MS = 12 * 60 * 60 * 1000;
export const MIN_POLL_INTERVAL_MS = 10;
export const MAX_CONCURRENCY = 100_000;
export const MAX_ATTEMPTS = 1_000_000;

/** Items of one `enqueueMany` that get a span each; more share the span of the call. */
export const MAX_CREATE_SPANS = 100;
/** Different `error.type`s that a process tells apart: each is a series of its own in the metrics. */
export const MAX_ERROR_TYPES = 100;
/** What fails in telemetry is told this often. */
export const TELEMETRY_REPORT_INTERVAL_MS = 60_000;
/** A collection of metrics waits this long for the counts of a queue. */
export const OBSERVE_TIMEOUT_MS = 2_000;
/** How often an observed queue looks whether a meter provider was registered, or replaced. */
export const OBSERVE_ATTACH_INTERVAL_MS = 1_000;

/** Layout of the keys and envelopes. A release refuses data with a higher number. */
export const DATA_VERSION = 1;
