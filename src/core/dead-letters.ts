/** The dead letters of a queue: list them, send them round again, or remove them for good. */
import { checkId, checkInteger, checkOptionNames } from "./model/checks.ts";
import { InvalidOptionError } from "./model/errors.ts";
import type { JobSnapshot } from "./model/job.ts";
import { ADMIN_BATCH_JOBS, MAX_TIME_MS } from "./model/limits.ts";
import type { QueueCore } from "./engine/queue-core.ts";
import { type DeadPlace, FIRST_PLACE, readDeadPage } from "./engine/dead-pages.ts";
import { groupByShard } from "./engine/shard.ts";
import { readSnapshots } from "./engine/snapshots.ts";
import { queueStats } from "./queue-results.ts";
import type { JobStore } from "./store/job-store.ts";

/** Which page of the dead letters. */
export interface DeadListOptions {
  /** Most jobs on the page, 1 to 100. Default 20. */
  readonly limit?: number;
  /** Where the page before ended. Default: start with the oldest. */
  readonly cursor?: string | undefined;
}

/** One page of dead letters, oldest first. */
export interface DeadPage<T> {
  readonly jobs: readonly JobSnapshot<T>[];
  /** Pass it for the next page; undefined on the last one. */
  readonly cursor: string | undefined;
}

/** Which dead letters: these ids, or the oldest ones. */
export interface DeadSelection {
  /** These jobs; ids that are not among the dead are passed over. */
  readonly ids?: readonly string[];
  /** At most this many, oldest first. */
  readonly limit?: number;
  /** With `limit`: only jobs that died before, by Redis's clock. */
  readonly diedBefore?: Date;
}

/** The dead letters of a queue, `queue.dead`. They stay until they are sent round again or removed here. */
export class DeadLetters<T> {
  readonly #core: QueueCore;

  /** @internal */
  constructor(core: QueueCore) {
    this.#core = core;
  }

  /**
   * A page of dead letters, oldest first.
   *
   * @throws InvalidOptionError if the cursor is not one of `list`'s
   */
  async list(options: DeadListOptions = {}): Promise<DeadPage<T>> {
    checkOptionNames("options", options, ["limit", "cursor"]);
    const limit = checkInteger("limit", options.limit ?? 20, 1, ADMIN_BATCH_JOBS);
    this.#core.ensureOpen();
    const page = await this.#page(
      limit,
      options.cursor === undefined ? FIRST_PLACE : parseCursor(options.cursor),
    );
    const jobs = await this.#readAll(page.map(({ id }) => id));
    const last = page.at(-1);
    return {
      // Redriven or purged since the page was read: no longer among the dead.
      jobs: jobs.filter((job) => job?.state === "dead") as JobSnapshot<T>[],
      cursor: page.length < limit || !last ? undefined : `${last.diedAtMs}:${last.id}`,
    };
  }

  /**
   * Sends dead letters round again: due now, with their attempts back to 0.
   *
   * @returns how many were sent
   * @throws InvalidOptionError unless exactly one of `ids` and `limit` is given
   */
  redrive(selection: DeadSelection): Promise<number> {
    return this.#forEachBatch(selection, (store, ids) => store.redrive(ids));
  }

  /**
   * Removes dead letters for good, with their payloads.
   *
   * @returns how many were removed
   * @throws InvalidOptionError unless exactly one of `ids` and `limit` is given
   */
  purge(selection: DeadSelection): Promise<number> {
    return this.#forEachBatch(selection, (store, ids) => store.purge(ids));
  }

  /** By id even where a limit is given: a repeated call must not take more than was asked for. */
  async #forEachBatch(
    selection: DeadSelection,
    move: (store: JobStore, ids: readonly string[]) => Promise<boolean[]>,
  ): Promise<number> {
    const { ids, limit, untilMs } = checkSelection(selection);
    this.#core.ensureOpen();
    // Redriven jobs may die again meanwhile: without a count from before, the poisonous ones would go
    // round until the limit. One page takes each once.
    const count =
      ids?.length ?? (limit <= ADMIN_BATCH_JOBS ? limit : Math.min(limit, await this.#countDead()));
    let moved = 0;
    let place = FIRST_PLACE;
    for (let taken = 0; taken < count;) {
      const size = Math.min(ADMIN_BATCH_JOBS, count - taken);
      const page = ids ? [] : await this.#page(size, place, untilMs);
      const batch = ids ? ids.slice(taken, taken + size) : page.map(({ id }) => id);
      for (const [{ store }, group] of groupByShard(batch, (id) => this.#core.shardOf(id))) {
        moved += (await move(store, group)).filter(Boolean).length;
      }
      place = page.at(-1) ?? FIRST_PLACE;
      taken += batch.length;
      if (batch.length < size) {
        break; // there are no more
      }
    }
    return moved;
  }

  async #countDead(): Promise<number> {
    const shards = this.#core.shards.map(async ({ store }) => queueStats(await store.stats()).dead);
    return (await Promise.all(shards)).reduce((sum, dead) => sum + dead, 0);
  }

  /** In the order of the ids. */
  async #readAll(ids: readonly string[]): Promise<(JobSnapshot<T> | undefined)[]> {
    const found = new Map<string, JobSnapshot<T>>();
    for (const [{ store }, group] of groupByShard(ids, (id) => this.#core.shardOf(id))) {
      for (const job of await readSnapshots<T>(store, this.#core.options.codec, group)) {
        if (job) found.set(job.id, job);
      }
    }
    return ids.map((id) => found.get(id));
  }

  #page(maxJobs: number, after: DeadPlace, untilMs = MAX_TIME_MS): Promise<DeadPlace[]> {
    return readDeadPage(this.#core.shards, maxJobs, after, untilMs);
  }
}

function checkSelection(selection: DeadSelection): {
  ids: readonly string[] | undefined;
  limit: number;
  untilMs: number;
} {
  checkOptionNames("selection", selection, ["ids", "limit", "diedBefore"]);
  const { ids, limit, diedBefore } = selection;
  if ((ids === undefined) === (limit === undefined)) {
    throw new InvalidOptionError("selection", selection, "given as either ids or limit");
  }
  if (ids !== undefined && !Array.isArray(ids)) {
    throw new InvalidOptionError("ids", ids, "an array of ids");
  }
  if (
    diedBefore !== undefined &&
    (ids !== undefined || !Number.isFinite(diedBefore?.getTime?.()))
  ) {
    throw new InvalidOptionError("diedBefore", diedBefore, "a valid Date, together with limit");
  }
  return {
    ids: ids?.map(checkId),
    limit: limit === undefined ? 0 : checkInteger("limit", limit, 1, Number.MAX_SAFE_INTEGER),
    untilMs: diedBefore === undefined ? MAX_TIME_MS : diedBefore.getTime() - 1,
  };
}

function parseCursor(cursor: string): DeadPlace {
  const match = typeof cursor === "string" ? /^(\d{1,16}):(.+)$/s.exec(cursor) : null;
  if (!match) {
    throw new InvalidOptionError("cursor", cursor, "a cursor that list returned");
  }
  return { id: match[2]!, diedAtMs: Number(match[1]) };
}
