/** Processes that name different numbers of shards at the same time cannot hide jobs from each other. */
import { setImmediate } from "node:timers/promises";
import * as fc from "fast-check";
import type { Redis } from "ioredis";
import { expect, test, vi } from "vitest";
import { queueKeys, shardTags } from "../../src/core/store/keys.ts";
import { IncompatibleDataError, Queue } from "../../src/index.ts";
import { failOnLeaks } from "../helpers/leak-check.ts";
import { rawRedis, uniqueName } from "../helpers/redis.ts";

// Each process takes a change over at once, as if the process that began it had died: no process may rely on
// the others' patience.
vi.mock("../../src/core/model/limits.ts", async (original) => ({
  ...(await original<object>()),
  CHANGE_PATIENCE_MS: 0,
}));

failOnLeaks();

const IDS = ["a", "b", "c"];
const NUMBERS = [1, 2, 3, 5];
const MOST_PROCESSES = 4;

interface Process {
  readonly redis: Redis;
  /** Those that it has to send. */
  readonly commands: { readonly promise: Promise<unknown>; readonly send: () => void }[];
}

/**
 * Lets one script at a time go to Redis: the first one of the process that comes first. At each of the
 * steps `stopsAt`, that process goes to the end of the line, so that it stands still while others run far.
 */
class OneAtATime {
  readonly #line: Process[] = [];
  readonly #stopsAt: ReadonlySet<number>;
  #isOver = false;

  constructor(stopsAt: readonly number[]) {
    this.#stopsAt = new Set(stopsAt);
  }

  /** From now on it is the client of one more process, the last in line. */
  add(redis: Redis): Redis {
    const send = redis.sendCommand.bind(redis);
    const commands: Process["commands"] = [];
    redis.sendCommand = (command, ...rest) => {
      if (!command.name.startsWith("eval")) return send(command, ...rest);
      commands.push({ promise: command.promise, send: () => void send(command, ...rest) });
      return command.promise;
    };
    this.#line.push({ redis, commands });
    return redis;
  }

  /** Until `work` is done. */
  async run<T>(work: Promise<T>): Promise<T> {
    const sending = this.#sendInOrder();
    try {
      return await work;
    } finally {
      this.#isOver = true;
      await sending;
    }
  }

  async #sendInOrder(): Promise<void> {
    for (let step = 0; !this.#isOver;) {
      await setImmediate();
      const first = this.#line.find(({ commands }) => commands.length > 0);
      if (!first) continue;
      const command = first.commands.shift()!;
      command.send();
      await Promise.allSettled([command.promise]);
      if (this.#stopsAt.has(step)) {
        this.#line.push(...this.#line.splice(this.#line.indexOf(first), 1));
      }
      step += 1;
    }
  }

  letGo(): void {
    for (const { redis } of this.#line) {
      delete (redis as Partial<Redis>).sendCommand; // there is the class's own again
    }
  }
}

async function enqueueEach(queue: Queue<string>, ids: readonly string[]): Promise<string[]> {
  const results = await Promise.allSettled(ids.map((id) => queue.enqueue("x", { id })));
  return ids.filter((_, at) => {
    const result = results[at]!;
    if (result.status === "rejected") expect(result.reason).toBeInstanceOf(IncompatibleDataError);
    return result.status === "fulfilled";
  });
}

async function drain(queue: Queue<string>): Promise<string[]> {
  const deliveries = await queue.claim({ max: 100 });
  await Promise.all(deliveries.map((delivery) => delivery.ack()));
  return deliveries.map(({ id }) => id);
}

/** What one process does; the jobs of it that must be left. */
async function process(queue: Queue<string>, label: string) {
  const stored: string[] = [];
  const acked: string[] = [];
  for (const round of [1, 2, 3]) {
    const ids = IDS.map((id) => `${id} of ${label} in round ${round}`);
    stored.push(...(await enqueueEach(queue, ids)));
    acked.push(...(await drain(queue).catch(refused)));
  }
  return { stored, acked };
}

function refused(error: unknown): [] {
  expect(error).toBeInstanceOf(IncompatibleDataError);
  return [];
}

test.each([undefined, 1, 3])(
  "drained with %s shards: every job that was stored is where the noted number says",
  { timeout: 120_000 },
  async (before) => {
    const redis = rawRedis();
    const clients = Array.from({ length: 1 + MOST_PROCESSES }, () => rawRedis());
    const race = fc.asyncProperty(
      fc.array(fc.constantFrom(...NUMBERS), { minLength: 2, maxLength: MOST_PROCESSES }),
      fc.array(fc.nat(100), { maxLength: 10 }),
      async (numbers, stopsAt) => {
        const name = uniqueName("race");
        const keysOf = (shards: number) =>
          shardTags(name, shards).map((tag) => queueKeys("holdfast", tag));
        const commands = new OneAtATime(stopsAt);
        const open = (shards: number, at: number) =>
          new Queue<string>(name, { connection: commands.add(clients[at]!), shards });
        const queues = [...(before ? [before] : []), ...numbers].map(open);
        const race = async () => {
          if (before) {
            await enqueueEach(queues[0]!, ["of before"]);
            await drain(queues[0]!);
          }
          const done = await Promise.all(queues.map((queue, at) => process(queue, `${at}`)));
          const noted = Number.parseInt((await redis.hget(keysOf(1)[0]!.meta, "shards"))!, 10);
          const found = await Promise.all(keysOf(noted).map(({ jobs }) => redis.hkeys(jobs)));
          const acked = new Set(done.flatMap((each) => each.acked));
          const left = done.flatMap(({ stored }) => stored).filter((id) => !acked.has(id));
          expect(found.flat().toSorted()).toEqual(left.toSorted());
          await Promise.all(queues.map((queue) => queue.close()));
        };
        await commands.run(race());
        commands.letGo();
        const shards = NUMBERS.flatMap(keysOf);
        await Promise.all(shards.map((keys) => redis.del(Object.values(keys))));
      },
    );
    await fc.assert(race, { numRuns: 60 });
  },
);
