import type { CloseSummary } from "../../../src/index.ts";

export interface ReleaseAppTask {
  readonly url: string;
  readonly queueName: string;
  /** Folder of the build of holdfast that the process uses. */
  readonly release: string;
  /** Stands in the ids of the jobs it enqueues. */
  readonly name: string;
  readonly visibilityTimeoutMs?: number;
  /** The job with this id is held until its signal aborts. */
  readonly holds?: string;
}

export type ReleaseAppMessage =
  | { readonly kind: "started"; readonly id: string; readonly fencingToken: number }
  | { readonly kind: "completed"; readonly id: string; readonly attempt: number }
  | { readonly kind: "enqueued"; readonly ids: readonly string[] }
  | { readonly kind: "produced" }
  | { readonly kind: "failed"; readonly error: string }
  | { readonly kind: "closed"; readonly summary: CloseSummary };
