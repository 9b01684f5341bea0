/** Processes that name different numbers of shards at the same time cannot hide jobs from each other. */
import { setImmediate } from "node:timers/promises";
import * as fc from "fast-check";
import { Command, type Redis } from "ioredis";
import { expect, test, vi } from "vitest";
import { queueKeys, shardTags } from "../../src/core/store/keys.ts";
import { shardsNoted } from "../../src/core/store/shard-note.ts";
import {
  EnqueueUnconfirmedError,
  HoldfastError,
  IncompatibleDataError,
  Queue,
} from "../../src/index.ts";
import { failOnLeaks } from "../helpers/leak-check.ts";
import { rawRedis, uniqueName } from "../helpers/redis.ts";

// Each process takes a change over at once, as if the process that began it had died: no process may rely on
// the others' patience. And calls are given up soon, to run all the same when it is their turn.
vi.mock("../../src/core/model/limits.ts", async (original) => ({
  ...(await original<object>()),
  CHANGE_PATIENCE_MS: 0,
  CALL_TIMEOUT_MS: 100,
}));

failOnLeaks();

const IDS = ["a", "b", "c"];
const NUMBERS = [1, 2, 3, 5];
const MOST_PROCESSES = 4;

/** What befalls the process whose script is sent in this step. */
interface Fault {
  readonly step: number;
  /**
   * "stops": it goes to the end of the line, so that it stands still while others run far. "loses": its script
   * runs, but has no answer. "dies": nothing more of it is sent.
   */
  readonly kind: "stops" | "loses" | "dies";
}

interface Process {
  readonly redis: Redis;
  /** Scripts that it has to send. */
  readonly commands: Command[];
  readonly send: (command: Command) => Promise<unknown>;
  isDead: boolean;
}

/** Lets one script at a time go to Redis: the first one of the process that comes first in line. */
class OneAtATime {
  readonly #line: Process[] = [];
  readonly #faults: ReadonlyMap<number, Fault["kind"]>;
  #isOver = false;

  constructor(faults: readonly Fault[]) {
    this.#faults = new Map(faults.map(({ step, kind }) => [step, kind]));
  }

  /** From now on it is the client of one more process, the last in line. */
  add(redis: Redis): Redis {
    const send = redis.sendCommand.bind(redis);
    const process: Process = {
      redis,
      commands: [],
      send: async (command) => send(command),
      isDead: false,
    };
    redis.sendCommand = (command, ...rest) => {
      if (!command.name.startsWith("eval")) return send(command, ...rest);
      if (process.isDead) command.reject(connectionLost());
      else process.commands.push(command);
      return command.promise;
    };
    this.#line.push(process);
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
      if (first) {
        await this.#send(first, this.#faults.get(step));
        step += 1;
      }
    }
  }

  async #send(process: Process, fault: Fault["kind"] | undefined): Promise<void> {
    const command = process.commands.shift()!;
    if (fault === "loses") {
      await Promise.allSettled([process.send(new Command(command.name, command.args))]);
      command.reject(connectionLost());
    } else {
      await Promise.allSettled([process.send(command)]);
    }
    if (fault === "stops") {
      this.#line.push(...this.#line.splice(this.#line.indexOf(process), 1));
    } else if (fault === "dies") {
      process.isDead = true;
      for (const left of process.commands.splice(0)) left.reject(connectionLost());
    }
  }

  letGo(): void {
    for (const { redis } of this.#line) {
      delete (redis as Partial<Redis>).sendCommand; // there is the class's own again
    }
  }
}

function connectionLost(): Error {
  return new Error("Connection is closed."); // as ioredis says it
}

/** What became of the jobs of one process. */
interface Outcome {
  readonly stored: string[];
  /** Without an answer: stored or not. */
  readonly inDoubt: string[];
  readonly acked: string[];
}

async function enqueueEach(queue: Queue<string>, ids: readonly string[], outcome: Outcome) {
  const results = await Promise.allSettled(ids.map((id) => queue.enqueue("x", { id })));
  for (const [at, result] of results.entries()) {
    if (result.status === "fulfilled") outcome.stored.push(ids[at]!);
    else if (result.reason instanceof EnqueueUnconfirmedError) outcome.inDoubt.push(ids[at]!);
    else expect(result.reason).toBeInstanceOf(IncompatibleDataError);
  }
}

async function drain(queue: Queue<string>, { acked }: Outcome): Promise<void> {
  try {
    for (const delivery of await queue.claim({ max: 100, visibilityTimeoutMs: 1_000 })) {
      acked.push(delivery.id); // perhaps: where that has no answer
      await delivery.ack();
    }
  } catch (error) {
    expect(error).toBeInstanceOf(HoldfastError);
  }
}

/** What one process does. */
async function work(queue: Queue<string>, label: string): Promise<Outcome> {
  const outcome: Outcome = { stored: [], inDoubt: [], acked: [] };
  for (const round of [1, 2, 3]) {
    const ids = IDS.map((id) => `${id} of ${label} in round ${round}`);
    await enqueueEach(queue, ids, outcome);
    await drain(queue, outcome);
  }
  return outcome;
}

const faults = fc.array(
  fc.record({ step: fc.nat(100), kind: fc.constantFrom("stops", "stops", "loses", "dies") }),
  { maxLength: 10 },
);

test.each([undefined, 1, 3])(
  "drained with %s shards: every job that was stored is where the noted number says",
  { timeout: 60_000 },
  async (before) => {
    const redis = rawRedis();
    const clients = Array.from({ length: 1 + MOST_PROCESSES }, () => rawRedis());
    const numbers = fc.array(fc.constantFrom(...NUMBERS), {
      minLength: 2,
      maxLength: MOST_PROCESSES,
    });
    const race = fc.asyncProperty(numbers, faults, async (numbersOfProcesses, given) => {
      const name = uniqueName("race");
      const keysOf = (shards: number) =>
        shardTags(name, shards).map((tag) => queueKeys("holdfast", tag));
      if (before) await redis.hset(keysOf(1)[0]!.meta, { version: 1, shards: before });
      const scripts = new OneAtATime(given);
      const open = (shards: number, at: number) =>
        new Queue<string>(name, {
          connection: scripts.add(clients[at]!),
          shards,
          enqueueTimeoutMs: 50,
        });
      const queues = [...(before ? [before] : []), ...numbersOfProcesses].map(open);
      const run = async () => {
        const outcomes = await Promise.all(queues.map((queue, at) => work(queue, `${at}`)));
        await Promise.all(queues.map((queue) => queue.close()));
        return outcomes;
      };
      const outcomes = await scripts.run(run());
      scripts.letGo();

      const noted = shardsNoted((await redis.hget(keysOf(1)[0]!.meta, "shards")) ?? "1");
      const found = await Promise.all(keysOf(noted).map(({ jobs }) => redis.hkeys(jobs)));
      const everywhere = await Promise.all(
        NUMBERS.flatMap(keysOf).map(({ jobs }) => redis.hkeys(jobs)),
      );
      expect([...new Set(everywhere.flat())].toSorted()).toEqual(found.flat().toSorted());
      const stored = outcomes.flatMap((outcome) => outcome.stored);
      const accounted = new Set([...found.flat(), ...outcomes.flatMap(({ acked }) => acked)]);
      expect(stored.filter((id) => !accounted.has(id))).toEqual([]);
      const known = new Set([...stored, ...outcomes.flatMap(({ inDoubt }) => inDoubt)]);
      expect(found.flat().filter((id) => !known.has(id))).toEqual([]);

      const keys = NUMBERS.flatMap(keysOf);
      await Promise.all(keys.map((each) => redis.del(Object.values(each))));
    });
    await fc.assert(race, { numRuns: 20 });
  },
);
