/** The other end: an HTTP server that takes webhooks, slowly at times, and fails one call in five. */
import { EventEmitter, once } from "node:events";
import { createServer, type IncomingHttpHeaders, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { seededFraction } from "./seeded-choice.ts";

const REFUSED_SHARE = 0.2;
const SLOW_SHARE = 0.2;
const SLOW_MIN_MS = 150;
const SLOW_MAX_MS = 400;
/** Far above any pause between two calls, so that a connection never ends under a call. */
const KEEP_ALIVE_MS = 60_000;

/** One line of the receiver's own log. */
export interface Call {
  readonly jobId: string;
  readonly attempt: number;
  readonly fencingToken: number;
  readonly sender: string;
  readonly dueAtMs: number;
  readonly sentAtMs: number;
  /** Undefined until it is answered. */
  answeredAtMs: number | undefined;
  isAccepted: boolean;
}

export class Receiver extends EventEmitter<{ call: [Call] }> implements AsyncDisposable {
  readonly calls: Call[] = [];
  refusedCount = 0;
  readonly acceptedIds = new Set<string>();
  readonly #open = new Set<Call>();
  readonly #callsByJob = new Map<string, number>();
  readonly #server = createServer({ keepAliveTimeout: KEEP_ALIVE_MS }, (request, response) => {
    // Only a call that arrived whole counts: its sender may be killed in the middle.
    request.once("end", () => this.#take(request.headers, response));
    request.resume();
  });

  async listen(): Promise<void> {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
  }

  get url(): string {
    const { address, port } = this.#server.address() as AddressInfo;
    return `http://${address}:${port}/webhooks`;
  }

  /** Calls that wait for their answer. */
  openCalls(sender?: string): Call[] {
    return [...this.#open].filter((call) => sender === undefined || call.sender === sender);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#server.listening) {
      const closed = once(this.#server, "close");
      this.#server.close();
      this.#server.closeAllConnections();
      await closed;
    }
  }

  #take(headers: IncomingHttpHeaders, response: ServerResponse): void {
    const call: Call = {
      jobId: String(headers["idempotency-key"]),
      attempt: Number(headers["webhook-attempt"]),
      fencingToken: Number(headers["fencing-token"]),
      sender: String(headers["user-agent"]),
      dueAtMs: Date.parse(String(headers["webhook-due-at"])),
      sentAtMs: Date.parse(String(headers["webhook-sent-at"])),
      answeredAtMs: undefined,
      isAccepted: false,
    };
    this.calls.push(call);
    this.#open.add(call);
    const count = (this.#callsByJob.get(call.jobId) ?? 0) + 1;
    this.#callsByJob.set(call.jobId, count);
    const isRefused = seededFraction("refused", call.jobId, count) < REFUSED_SHARE;
    if (seededFraction("slow", call.jobId, count) < SLOW_SHARE) {
      const fraction = seededFraction("how slow", call.jobId, count);
      const delayMs = SLOW_MIN_MS + fraction * (SLOW_MAX_MS - SLOW_MIN_MS);
      setTimeout(() => this.#answer(call, isRefused, response), delayMs);
    } else {
      this.#answer(call, isRefused, response);
    }
    this.emit("call", call);
  }

  /** What it accepts it has accepted, whether or not the sender still lives to hear of it. */
  #answer(call: Call, isRefused: boolean, response: ServerResponse): void {
    call.answeredAtMs = Date.now();
    call.isAccepted = !isRefused;
    this.#open.delete(call);
    if (isRefused) {
      this.refusedCount += 1;
    } else {
      this.acceptedIds.add(call.jobId);
    }
    response.writeHead(isRefused ? 503 : 204).end();
  }
}
