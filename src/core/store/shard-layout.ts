/**
 * Over how many shards a queue is spread is noted in Redis, so that no two processes can disagree about
 * where a job is: in each shard, where every `enqueue` compares it with its own number, and under the
 * queue's plain name, its home, where a process with any number looks first.
 */
import * as scripts from "../../scripts/generated.ts";
import { IncompatibleDataError } from "../model/errors.ts";
import { DATA_VERSION, MAX_SHARDS } from "../model/limits.ts";
import type { ResolvedQueueOptions } from "../model/queue-options.ts";
import type { Connection } from "./connection.ts";
import { queueKeys, shardTags } from "./keys.ts";
import { flatReply, text } from "./replies.ts";
import { ScriptRunner } from "./script-runner.ts";

interface ShardState {
  /** As noted; 0 in a shard that was never used. */
  readonly shards: number;
  readonly jobs: number;
}

export class ShardLayout {
  readonly tags: readonly string[];
  readonly #connection: Connection;
  readonly #name: string;
  readonly #prefix: string;
  #openingHome: Promise<void> | undefined;
  #changing: Promise<void> | undefined;

  constructor(connection: Connection, { name, prefix, shards }: ResolvedQueueOptions) {
    this.#connection = connection;
    this.#name = name;
    this.#prefix = prefix;
    this.tags = shardTags(name, shards);
  }

  runner(tag: string): ScriptRunner {
    return new ScriptRunner(this.#connection, queueKeys(this.#prefix, tag));
  }

  /**
   * Checks one shard before its first use. Where the queue was spread over another number of shards and
   * holds no job, it is spread anew.
   *
   * @throws IncompatibleDataError if it holds jobs, or data of another kind or of a newer release
   */
  async open(tag: string): Promise<void> {
    if (this.tags.length > 1) {
      this.#openingHome ??= this.#openHome().catch((error: unknown) => {
        this.#openingHome = undefined;
        throw error;
      });
      await this.#openingHome;
    }
    const { shards } = await this.#read(tag);
    if (shards !== 0 && shards !== this.tags.length) {
      await this.#change(shards);
    }
  }

  async #openHome(): Promise<void> {
    let { shards } = await this.#read(this.#name);
    if (shards === 0) {
      if (await this.#note(this.#name, this.tags.length, 0)) return;
      ({ shards } = await this.#read(this.#name)); // another process was first
    }
    if (shards !== this.tags.length) {
      await this.#change(shards || 1); // jobs without a note are those of a queue with one shard
    }
  }

  /** Once at a time, however many shards found the other number. */
  #change(from: number): Promise<void> {
    this.#changing ??= this.#spreadAnew(from).finally(() => {
      this.#changing = undefined;
    });
    return this.#changing;
  }

  /** The home comes last: a process that dies halfway leaves the rest to the next one. */
  async #spreadAnew(from: number): Promise<void> {
    if (from > MAX_SHARDS) {
      throw new IncompatibleDataError(
        `this queue's data says that it has ${from} shards, but ${MAX_SHARDS} is the most: ` +
          "something other than holdfast has changed its keys",
      );
    }
    const shards = new Set([...shardTags(this.#name, from), ...this.tags]);
    shards.delete(this.#name);
    const tags = [...shards, this.#name];
    const states = await Promise.all(tags.map((tag) => this.#read(tag)));
    const hidden = states.filter((state) => state.shards !== this.tags.length);
    this.#refuseIfAny(
      from,
      hidden.reduce((sum, { jobs }) => sum + jobs, 0),
    );
    for (const [index, tag] of tags.entries()) {
      if (!(await this.#note(tag, this.tags.length, states[index]!.shards))) {
        // A job or another process came in between. What was noted goes back, so that producers can go on.
        for (const [noted, state] of states.slice(0, index).entries()) {
          await this.#note(tags[noted]!, state.shards, this.tags.length);
        }
        const { shards: now, jobs } = await this.#read(tag);
        this.#refuseIfAny(from, jobs);
        throw new IncompatibleDataError(
          `the shards of the queue ${JSON.stringify(this.#name)} were changed by another process at the ` +
            `same time, to ${now}: start all of them with the same number`,
        );
      }
    }
  }

  #refuseIfAny(shards: number, jobs: number): void {
    if (jobs > 0) {
      throw new IncompatibleDataError(
        `the queue ${JSON.stringify(this.#name)} is spread over ${count(shards, "shard")} and holds ` +
          `${count(jobs, "job")}: drain it before its shards are changed to ${this.tags.length}, ` +
          `or set shards: ${shards}`,
      );
    }
  }

  /** @returns whether it was noted: not where jobs lie under another number, or `from` holds no longer */
  async #note(tag: string, shards: number, from: number): Promise<boolean> {
    return Number(await this.runner(tag).run(scripts.reshard, { shards, from })) === 1;
  }

  async #read(tag: string): Promise<ShardState> {
    const reply = flatReply("open", await this.runner(tag).run(scripts.open, {}), 3);
    const [version, shards, jobs] = reply.map(Number) as [number, number, number];
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
    return { shards, jobs };
  }
}

/** What a producer hears whose queue was spread anew while it ran. */
export function shardsChanged(shards: number): IncompatibleDataError {
  return new IncompatibleDataError(
    `the queue is spread over ${count(shards, "shard")} since this process started: ` +
      `start it again with shards: ${shards}; the job was not stored`,
  );
}

function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? "" : "s"}`;
}
