/**
 * The audit of the invariant: each stored job is in exactly one of `delayed`, `processing` and `dead`,
 * and nothing else names a job that is not stored. Works in pages, beside running workers: pages only
 * name suspects, and each suspect is then looked at as a whole in one atomic step.
 *
 * A job in no place may be an orphan, or have been claimed since `processing` was scanned. Such jobs
 * are set aside, and judged after another scan of `processing`; see `mend.lua` for what proves it.
 *
 * Memory grows with the leases (about 150 bytes each), not with the jobs.
 */
import {
  ADMIN_BATCH_JOBS,
  VERIFY_LOOKS,
  VERIFY_MAX_DISTINCT,
  VERIFY_MAX_FINDINGS,
  VERIFY_MAX_UNPLACED,
  VERIFY_PAGE_BYTES,
  VERIFY_PAGE_ENTRIES,
} from "../model/limits.ts";
import {
  type Breach,
  type BreachKind,
  emptyCounts,
  type VerifyReport,
} from "../model/verify-report.ts";
import type { AuditStore } from "../store/audit-store.ts";
import type { VerifyPage } from "../store/messages.ts";

/** After `processing`, in this order. */
const PARTS = ["jobs", "delayed", "dead", "attempts", "errors"] as const;

export type AuditedStore = Pick<AuditStore, keyof AuditStore>;

/** @param signal ends the audit early: it answers what it has found by then */
export function audit(
  store: AuditedStore,
  repairs: boolean,
  signal?: AbortSignal,
): Promise<VerifyReport> {
  return new Audit(store, repairs, signal).run();
}

/** The leases of one complete scan of `processing`. */
interface LeaseScan {
  /** The token counter before the scan. */
  readonly token: string;
  /** After a reconnect or a move the scan proves nothing: a cursor of one server means nothing on another. */
  readonly epoch: unknown;
  /** By id, the tokens of its leases, by commas. */
  readonly tokensOf: ReadonlyMap<string, string>;
  readonly suspects: ReadonlySet<string>;
}

class Audit {
  readonly #store: AuditedStore;
  readonly #repairs: boolean;
  readonly #signal: AbortSignal | undefined;
  #leases: LeaseScan = { token: "", epoch: -1, tokensOf: new Map(), suspects: new Set() };
  /** Jobs in no place, as far as could be seen. */
  #unplaced = new Set<string>();
  #jobs = 0;
  #unknownCount = 0;
  readonly #reported = new Set<string>();
  readonly #breachCounts = emptyCounts();
  readonly #breaches: Breach[] = [];

  constructor(store: AuditedStore, repairs: boolean, signal: AbortSignal | undefined) {
    this.#store = store;
    this.#repairs = repairs;
    this.#signal = signal;
  }

  async run(): Promise<VerifyReport> {
    for (const fault of await this.#store.mendQueue(this.#repairs)) {
      this.#report(undefined, "queue", [fault]);
    }
    await this.#scanLeases();
    await this.#examine(this.#leases.suspects);
    for (const part of PARTS) {
      for await (const page of this.#pages(part)) {
        await this.#look(part, page);
      }
    }
    await this.#settleUnplaced();
    const isComplete = !this.#isAborted;
    const breachCount = Object.values(this.#breachCounts).reduce((sum, count) => sum + count, 0);
    return {
      isSound: isComplete && breachCount === 0 && this.#unknownCount === 0,
      isComplete,
      jobs: this.#jobs,
      breachCount,
      breachCounts: this.#breachCounts,
      breaches: this.#breaches,
      unknownCount: this.#unknownCount,
    };
  }

  get #isAborted(): boolean {
    return this.#signal?.aborted === true;
  }

  async *#pages(part: string): AsyncGenerator<VerifyPage> {
    let cursor = "0";
    let pageSize = 1;
    do {
      if (this.#isAborted) {
        return;
      }
      const page = await this.#store.verifyPage(part, cursor, pageSize);
      pageSize = nextPageSize(pageSize, page.bytes);
      cursor = page.cursor;
      yield page;
    } while (cursor !== "0");
  }

  /** A scan that is cut short proves nothing and leaves no trace. */
  async #scanLeases(): Promise<void> {
    const epoch = this.#store.serverEpoch;
    const tokensOf = new Map<string, string>();
    const suspects = new Set<string>();
    let token: string | undefined;
    for await (const page of this.#pages("processing")) {
      token ??= page.token;
      for (const { kind, name } of page.findings) {
        if (kind === "suspect") {
          suspects.add(name);
        } else {
          const colon = name.lastIndexOf(":");
          const [id, lease] = [name.slice(0, colon), name.slice(colon + 1)];
          const known = tokensOf.get(id);
          if (known === undefined) {
            tokensOf.set(id, lease);
          } else if (!known.split(",").includes(lease)) {
            tokensOf.set(id, `${known},${lease}`);
            suspects.add(id);
          }
        }
      }
    }
    if (!this.#isAborted) {
      this.#leases = { token: token ?? "", epoch, tokensOf, suspects };
    }
  }

  async #look(part: string, page: VerifyPage): Promise<void> {
    this.#jobs += part === "jobs" ? page.entries : 0;
    const suspects = new Set<string>();
    for (const { kind, name } of page.findings) {
      if (kind === "suspect") {
        suspects.add(name);
      } else if (!this.#leases.tokensOf.has(name)) {
        this.#unplaced.add(name);
      }
    }
    await this.#examine(suspects);
    if (this.#unplaced.size >= VERIFY_MAX_UNPLACED) {
      await this.#settleUnplaced();
    }
  }

  /** Looks at the jobs set aside, a few times: those claimed meanwhile are found, or gone. */
  async #settleUnplaced(): Promise<void> {
    for (let look = 1; look <= VERIFY_LOOKS && this.#unplaced.size > 0; look += 1) {
      await this.#scanLeases();
      if (this.#isAborted) {
        return;
      }
      const missing = [...this.#unplaced].filter((id) => !this.#leases.tokensOf.has(id));
      this.#unplaced.clear();
      await this.#examine(missing);
    }
    this.#unknownCount += this.#unplaced.size;
    this.#unplaced.clear();
  }

  async #examine(ids: Iterable<string>): Promise<void> {
    const suspects = Array.from(ids, (id) => ({ id, tokens: this.#leases.tokensOf.get(id) ?? "" }));
    for (let first = 0; first < suspects.length && !this.#isAborted; first += ADMIN_BATCH_JOBS) {
      const batch = suspects.slice(first, first + ADMIN_BATCH_JOBS);
      const isProof = this.#store.serverEpoch === this.#leases.epoch;
      const scanToken = isProof ? this.#leases.token : "";
      const verdicts = await this.#store.mend(batch, this.#repairs, scanToken);
      for (const [index, { kind, where }] of verdicts.entries()) {
        const { id } = batch[index]!;
        if (kind === "unknown") {
          this.#unplaced.add(id);
        } else if (kind !== "sound") {
          this.#report(id, kind as BreachKind, where === "" ? [] : where.split(","));
        }
      }
    }
  }

  /** An id is found once in each part that names it; it counts once. */
  #report(id: string | undefined, kind: BreachKind, details: readonly string[]): void {
    if (id !== undefined) {
      if (this.#reported.has(id)) {
        return;
      }
      if (this.#reported.size < VERIFY_MAX_DISTINCT) {
        this.#reported.add(id);
      }
    }
    this.#breachCounts[kind] += 1;
    if (this.#breaches.length < VERIFY_MAX_FINDINGS) {
      const readableId = id === undefined ? undefined : Buffer.from(id, "latin1").toString();
      this.#breaches.push({ id: readableId, kind, details, isMended: this.#repairs });
    }
  }
}

/** Scanning `jobs` reads the payloads: pages grow only as long as those are small. */
function nextPageSize(pageSize: number, bytes: number): number {
  return bytes < VERIFY_PAGE_BYTES
    ? Math.min(pageSize * 2, VERIFY_PAGE_ENTRIES)
    : Math.max(1, Math.floor(pageSize / 2));
}
