/** The smallest collector there can be: takes OTLP over HTTP, as JSON, and keeps the spans. */
import { EventEmitter, once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { json } from "node:stream/consumers";
import { type ExportRequest, type ReceivedSpan, spansOf } from "./otlp.ts";

export class Collector implements AsyncDisposable {
  readonly spans: ReceivedSpan[] = [];
  readonly #news = new EventEmitter<{ spans: [] }>();
  readonly #server = createServer((request, response) => {
    this.#take(request, response).catch((error: unknown) => {
      response.writeHead(400).end(String(error));
    });
  });

  async listen(): Promise<void> {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
  }

  /** For OTEL_EXPORTER_OTLP_ENDPOINT. */
  get url(): string {
    const { address, port } = this.#server.address() as AddressInfo;
    return `http://${address}:${port}`;
  }

  /** Resolves once all of these have arrived. */
  async received(
    wanted: readonly ((span: ReceivedSpan) => boolean)[],
    signal: AbortSignal,
  ): Promise<void> {
    while (!wanted.every((fits) => this.spans.some(fits))) {
      await once(this.#news, "spans", { signal });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#server.listening) {
      const closed = once(this.#server, "close");
      this.#server.close();
      this.#server.closeAllConnections();
      await closed;
    }
  }

  async #take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (request.method !== "POST" || request.url !== "/v1/traces") {
      request.resume();
      response.writeHead(404).end();
      return;
    }
    this.spans.push(...spansOf((await json(request)) as ExportRequest));
    response.writeHead(200, { "Content-Type": "application/json" }).end("{}");
    this.#news.emit("spans");
  }
}
