import type { Socket } from "node:net";

/** What one direction may hold back before it stops reading, as a full socket buffer would. */
const highWaterBytes = 1024 * 1024;

export interface PipeRules {
  latencyMs: number;
  blackHole: boolean;
}

/** The null chunk is the end of the stream, which waits its turn behind the data. */
interface Held {
  chunk: Buffer | null;
  dueAtMs: number;
}

/** One direction of a proxied connection: late by the latency, and held back in a black hole. */
export class DelayedPipe {
  readonly #source: Socket;
  readonly #sink: Socket;
  readonly #rules: PipeRules;
  #queue: Held[] = [];
  #heldBytes = 0;
  #timer: NodeJS.Timeout | undefined;
  #discarding = false;

  constructor(source: Socket, sink: Socket, rules: PipeRules) {
    this.#source = source;
    this.#sink = sink;
    this.#rules = rules;
    sink.on("drain", () => this.flush());
  }

  push(chunk: Buffer | null): void {
    if (this.#discarding) {
      return;
    }
    this.#queue.push({ chunk, dueAtMs: performance.now() + this.#rules.latencyMs });
    this.#heldBytes += chunk?.length ?? 0;
    this.flush();
  }

  /** Forwards what is due. Called again whenever the rules change or the sink has room. */
  flush(): void {
    clearTimeout(this.#timer);
    let head = this.#queue[0];
    while (head !== undefined && this.#mayForward()) {
      const waitMs = head.dueAtMs - performance.now();
      if (waitMs > 0) {
        this.#timer = setTimeout(() => this.flush(), Math.ceil(waitMs));
        break;
      }
      this.#queue.shift();
      this.#forward(head.chunk);
      head = this.#queue[0];
    }
    if (this.#heldBytes > highWaterBytes) {
      this.#source.pause();
    } else if (this.#source.isPaused()) {
      this.#source.resume();
    }
  }

  /** From now on reads and forgets, so that the source is never blocked. */
  discard(): void {
    this.#discarding = true;
    this.#queue = [];
    this.#heldBytes = 0;
    clearTimeout(this.#timer);
    this.#source.resume();
  }

  #mayForward(): boolean {
    return !this.#rules.blackHole && !this.#sink.writableNeedDrain;
  }

  #forward(chunk: Buffer | null): void {
    if (chunk === null) {
      this.#sink.end();
      return;
    }
    this.#heldBytes -= chunk.length;
    if (this.#sink.writable) {
      this.#sink.write(chunk);
    }
  }
}
