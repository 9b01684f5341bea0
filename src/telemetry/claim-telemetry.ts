/** One claim by hand, until its jobs are handed over. A worker's looks have no spans. */
import { type Link, SpanKind } from "@opentelemetry/api";
import { activeContext } from "./contexts.ts";
import type { Emitter } from "./emitter.ts";
import { errorType } from "./error-type.ts";
import { ATTRIBUTES } from "./names.ts";
import type { OperationSpan } from "./operation-span.ts";

export class ClaimTelemetry {
  readonly #span: OperationSpan | undefined;
  readonly #links: Link[] = [];

  constructor(emitter: Emitter) {
    this.#span = emitter.startSpan(emitter.operations.claim, SpanKind.CLIENT, activeContext());
  }

  /** @param link to the creation of a job that was claimed; undefined if it tells none */
  addLink(link: Link | undefined): void {
    if (link) this.#links.push(link);
  }

  end(jobs: number): void {
    if (this.#span?.isRecording) {
      this.#span.set({ [ATTRIBUTES.messageCount]: jobs });
      if (this.#links.length > 0) this.#span.addLinks(this.#links);
    }
    this.#span?.end();
  }

  fail(error: unknown): void {
    this.#span?.failWith(errorType(error), error);
    this.#span?.end();
  }
}
