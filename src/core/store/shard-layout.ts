/**
 * Over how many shards a queue is spread is noted in Redis, so that no two processes can disagree about
 * where a job is: in each shard, where every `enqueue` compares it with its own number, and under the
 * queue's plain name, its home, where a process with any number looks first.
 */
import * as scripts from "../../scripts/generated.ts";
import { monotonicNow, pause } from "../model/clock.ts";
import { IncompatibleDataError } from "../model/errors.ts";
import { CHANGE_PATIENCE_MS, CHANGE_TRIES, DATA_VERSION, MAX_SHARDS } from "../model/limits.ts";
import type { ResolvedQueueOptions } from "../model/queue-options.ts";
import type { Connection } from "./connection.ts";
import { queueKeys, shardTags } from "./keys.ts";
import { flatReply, text } from "./replies.ts";
import { ScriptRunner } from "./script-runner.ts";
import { isMark, newMark, NOT_NOTED, shardsNoted } from "./shard-note.ts";

const MARK_POLL_MS = 20;

interface ShardState {
  readonly note: string;
  readonly jobs: number;
}

export class ShardLayout {
  readonly tags: readonly string[];
  readonly #connection: Connection;
  readonly #name: string;
  readonly #prefix: string;
  readonly #ownNote: string;
  #openingHome: Promise<void> | undefined;
  #changing: Promise<void> | undefined;
  #deadMark: string | undefined;

  constructor(connection: Connection, { name, prefix, shards }: ResolvedQueueOptions) {
    this.#connection = connection;
    this.#name = name;
    this.#prefix = prefix;
    this.#ownNote = String(shards);
    this.tags = shardTags(name, shards);
  }

  runner(tag: string): ScriptRunner {
    return new ScriptRunner(this.#connection, queueKeys(this.#prefix, tag));
  }

  /**
   * Checks one shard before its first use, or again after it was found with a mark. Where the queue was
   * spread over another number of shards before this object's first call and holds no job, it is spread anew.
   *
   * @throws IncompatibleDataError if it holds jobs, or data of another kind or of a newer release, or has been
   *   spread anew since the first call
   */
  async open(tag: string): Promise<void> {
    const wasOpen = this.#openingHome !== undefined;
    this.#openingHome ??= this.#openHome().catch((error: unknown) => {
      this.#openingHome = undefined;
      throw error;
    });
    await this.#openingHome;
    if (wasOpen || tag !== this.#name) {
      await this.#check(tag);
    }
  }

  async #openHome(): Promise<void> {
    const { note } = await this.#readSettled(this.#name);
    const isNew = note === NOT_NOTED;
    // A queue with one shard is noted by its first enqueue.
    const isDone =
      isNew && (this.tags.length === 1 || (await this.#replace(this.#name, note, this.#ownNote)));
    if (!isDone && note !== this.#ownNote) {
      await this.#change(note);
    }
  }

  /** Another note than the home's was left by a process that died. */
  async #check(tag: string): Promise<void> {
    const { note } = await this.#readSettled(tag);
    if (note === NOT_NOTED || note === this.#ownNote) {
      return;
    }
    const home = await this.#readSettled(this.#name);
    if (home.note !== NOT_NOTED && shardsNoted(home.note) !== this.tags.length) {
      throw shardsChanged(home.note);
    }
    await this.#change(note);
  }

  /** Once at a time, however many shards found another note. */
  #change(found: string): Promise<void> {
    this.#changing ??= this.#spreadAnew(found).finally(() => {
      this.#changing = undefined;
    });
    return this.#changing;
  }

  async #spreadAnew(found: string): Promise<void> {
    for (let tries = 0; tries < CHANGE_TRIES; tries += 1) {
      if (await this.#trySpread(found)) return;
    }
    const { note } = await this.#read(this.#name);
    throw new IncompatibleDataError(
      `the shards of the queue ${JSON.stringify(this.#name)} are changed by other processes at the ` +
        `same time (noted now: ${note}): start all of them with the same number`,
    );
  }

  /**
   * The home is marked first and gets the new number last, if it has still the same mark: so one change at a
   * time comes to its end. In between each shard gets the mark, and from then on no job.
   *
   * A shard loses its mark once the home has its number, or goes back while the home has that mark. Whoever
   * takes the home over from a process that died marks the shards after that, so neither can come late.
   *
   * @returns false if another change came in between
   */
  async #trySpread(found: string): Promise<boolean> {
    const home = await this.#readSettled(this.#name);
    const before = this.#numberBefore(home.note);
    const layouts = [before, this.#numberBefore(found)].map((shards) =>
      shardTags(this.#name, shards),
    );
    const tags = new Set([...layouts.flat(), ...this.tags]);
    tags.delete(this.#name);
    const states = new Map([[this.#name, home]]);
    await Promise.all([...tags].map(async (tag) => states.set(tag, await this.#readSettled(tag))));
    this.#refuseIfJobs([...states.values()]);
    if (this.#isSpread(states)) {
      return true;
    }
    const mark = newMark(before);
    if (!(await this.#replace(this.#name, home.note, mark))) {
      return false;
    }
    if (!(await this.#markAll(tags, mark))) {
      return false;
    }
    // From here on nothing is given back: the answer may be lost of a change that was made.
    if (!(await this.#replace(this.#name, mark, this.#ownNote))) {
      return false;
    }
    return this.#replaceAll(tags, mark, this.#ownNote);
  }

  /** @returns whether all have it; otherwise it is taken back, so that producers can go on */
  async #markAll(tags: Iterable<string>, mark: string): Promise<boolean> {
    const marking = await Promise.allSettled([...tags].map((tag) => this.#mark(tag, mark)));
    if (marking.every((each) => each.status === "fulfilled" && each.value)) {
      return true;
    }
    const failed = marking.find((each) => each.status === "rejected");
    if (!failed) {
      await this.#giveBack(tags, mark);
      return false;
    }
    // The first failure tells more than another one; marks that stay are those of a dead process.
    await this.#giveBack(tags, mark).catch(() => undefined);
    throw failed.reason;
  }

  /** A shard that has the new number already keeps it, with its jobs. */
  async #mark(tag: string, mark: string): Promise<boolean> {
    const { note } = await this.#read(tag);
    return note === this.#ownNote || (await this.#replace(tag, note, mark));
  }

  async #giveBack(tags: Iterable<string>, mark: string): Promise<void> {
    const { note } = await this.#read(this.#name);
    if (note === mark) {
      const before = String(shardsNoted(mark));
      await this.#replaceAll(tags, mark, before);
      await this.#replace(this.#name, mark, before);
    }
  }

  /** Whether another process with this number was first. */
  #isSpread(states: ReadonlyMap<string, ShardState>): boolean {
    return [...states].every(
      ([tag, { note }]) =>
        note === this.#ownNote || (note === NOT_NOTED && this.tags.includes(tag)),
    );
  }

  #refuseIfJobs(states: readonly ShardState[]): void {
    const hidden = states.filter(({ note, jobs }) => note !== this.#ownNote && jobs > 0);
    if (hidden.length > 0) {
      const jobs = hidden.reduce((sum, state) => sum + state.jobs, 0);
      const shards = this.#numberBefore(hidden[0]!.note);
      throw new IncompatibleDataError(
        `the queue ${JSON.stringify(this.#name)} is spread over ${count(shards, "shard")} and holds ` +
          `${count(jobs, "job")}: drain it before its shards are changed to ${this.#ownNote}, ` +
          `or set shards: ${shards}`,
      );
    }
  }

  /** Jobs without a note are those of a queue with one shard. */
  #numberBefore(note: string): number {
    return validShards(note) || 1;
  }

  /** @returns false where jobs lie, or something else than `from` is noted by now */
  async #replace(tag: string, from: string, note: string): Promise<boolean> {
    return Number(await this.runner(tag).run(scripts.reshard, { note, from })) === 1;
  }

  async #replaceAll(tags: Iterable<string>, from: string, note: string): Promise<boolean> {
    const replaced = await Promise.all([...tags].map((tag) => this.#replace(tag, from, note)));
    return !replaced.includes(false);
  }

  /** A mark is given time to go: it stays only where its process died. */
  async #readSettled(tag: string): Promise<ShardState> {
    let state = await this.#read(tag);
    let seen = { note: state.note, at: monotonicNow() };
    while (isMark(state.note) && state.note !== this.#deadMark) {
      if (state.note !== seen.note) {
        seen = { note: state.note, at: monotonicNow() };
      } else if (monotonicNow() - seen.at >= CHANGE_PATIENCE_MS) {
        this.#deadMark = state.note;
        break;
      }
      await pause(MARK_POLL_MS);
      state = await this.#read(tag);
    }
    return state;
  }

  async #read(tag: string): Promise<ShardState> {
    const reply = flatReply("open", await this.runner(tag).run(scripts.open, {}), 3);
    const [version, note, jobs] = [Number(reply[0]), text(reply[1]), Number(reply[2])];
    const wrongParts = reply.slice(3).map(text);
    if (wrongParts.length > 0) {
      throw new IncompatibleDataError(
        `keys of this queue hold other types than holdfast's (${wrongParts.join(", ")}): ` +
          "choose another queue name or prefix, or delete these keys",
      );
    }
    if (version > DATA_VERSION) {
      throw new IncompatibleDataError(
        `this queue's data has version ${version}, but this release of holdfast knows ` +
          `versions up to ${DATA_VERSION}: upgrade holdfast in this process`,
      );
    }
    return { note, jobs };
  }
}

/** What a producer hears whose queue was spread anew while it ran. */
export function shardsChanged(note: string): IncompatibleDataError {
  const shards = validShards(note);
  return new IncompatibleDataError(
    `the queue is spread over ${count(shards, "shard")} since this process started: ` +
      `start it again with shards: ${shards}; the job was not stored`,
  );
}

function validShards(note: string): number {
  const shards = shardsNoted(note);
  if (!Number.isInteger(shards) || shards < 0 || shards > MAX_SHARDS) {
    throw new IncompatibleDataError(
      `this queue's data says that it has ${JSON.stringify(note)} shards, not a number from 1 to ` +
        `${MAX_SHARDS}: something other than holdfast has changed its keys`,
    );
  }
  return shards;
}

function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? "" : "s"}`;
}
