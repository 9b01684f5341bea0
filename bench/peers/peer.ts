/** What the bench asks of a library. Each file beside this one answers for one of them. */

export interface PeerTarget {
  readonly url: string;
  readonly queue: string;
  /** Begins the name of every key, so that the bench can remove them. */
  readonly prefix: string;
  /** Seen in CLIENT LIST on each of the library's connections. */
  readonly connectionName: string;
  /** Whether jobs are to have no spans, although an SDK records. */
  readonly isUntraced?: boolean | undefined;
}

export interface PeerItem {
  readonly data: unknown;
  /** Milliseconds since 1970. Without it the job is due at once. */
  readonly dueAtMs?: number;
}

interface PeerProducer {
  /** Resolves when the library says that the job is stored. */
  enqueue(item: PeerItem): Promise<unknown>;
  /** By the library's own call for many, or, where there is none, by `enqueue` at the same time. */
  enqueueMany(items: readonly PeerItem[]): Promise<unknown>;
  close(): Promise<void>;
}

export interface PeerJob {
  readonly data: unknown;
  readonly dueAtMs: number;
}

export interface PeerWorkerOptions {
  readonly concurrency: number;
  /** The library's default without it. */
  readonly visibilityTimeoutMs?: number;
  /** Jobs to claim ahead, beyond those that run. Libraries that cannot do that leave it. */
  readonly prefetch?: number;
  /** One start of a handler. The job is done when the promise resolves. */
  readonly handler: (job: PeerJob) => Promise<unknown>;
  /** Called once for each job whose end is stored in Redis, with the job's data. */
  readonly onAcknowledged: (data: unknown) => void;
  readonly onError: (error: unknown) => void;
}

export interface PeerWorker {
  /** Lets running handlers finish, and closes the connections. */
  close(): Promise<void>;
}

interface PeerClaimer {
  /** Takes up to so many due jobs, without waiting for more. Resolves with how many there were. */
  claim(max: number): Promise<number>;
  /** Finishes what was claimed. */
  acknowledge(): Promise<void>;
  close(): Promise<void>;
}

export interface Peer {
  openProducer(target: PeerTarget): Promise<PeerProducer>;
  /** Resolves when the worker takes jobs. */
  openWorker(target: PeerTarget, options: PeerWorkerOptions): Promise<PeerWorker>;
  /** Missing where the library has no such call. */
  openClaimer?(target: PeerTarget): Promise<PeerClaimer>;
}
