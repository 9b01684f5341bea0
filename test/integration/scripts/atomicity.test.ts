import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Redis } from "ioredis";
import { IncompatibleDataError, QueueFullError } from "../../../src/core/model/errors.ts";
import type { KeyPart } from "../../../src/core/store/keys.ts";
import * as scripts from "../../../src/scripts/generated.ts";
import { type RedisServer, startServer } from "../../../tools/redis/start-server.ts";
import { rawRedis } from "../../helpers/redis.ts";
import { claimArguments, claimJobs } from "../../helpers/script-claim.ts";
import { openQueue, type TestQueue } from "../../helpers/script-harness.ts";
import { makeBusy, type Scenario, scenarios } from "../../helpers/script-scenarios.ts";

const writing = scenarios.filter(({ writes }) => writes.length > 0);

it("has scenarios for every script", () => {
  const all = Object.values(scripts)
    .map(({ name }) => name)
    .toSorted();
  expect([...new Set(scenarios.map(({ script }) => script.name))].toSorted()).toEqual(all);
});

describe("a scenario changes what it says and leaves the queue sound", () => {
  it.each(scenarios)("$name", async (scenario) => {
    const queue = openQueue();
    await makeBusy(queue, scenario);
    const { changes } = await queue.watch(() => scenario.call(queue));
    expect(Object.keys(changes).toSorted()).toEqual(scenario.writes.toSorted());
    await queue.checkInvariant();
  });
});

interface WrongType {
  readonly scenario: Scenario;
  readonly part: KeyPart;
  readonly name: string;
}

function wrongTypes(isWritten: boolean): WrongType[] {
  return scenarios.flatMap((scenario) =>
    (scenario.script.keys as readonly KeyPart[])
      .filter((part) => scenario.writes.includes(part) === isWritten)
      .map((part) => ({ scenario, part, name: scenario.name })),
  );
}

async function plantWrongType(queue: TestQueue, part: KeyPart): Promise<void> {
  await queue.client.del(queue.keys[part]);
  await queue.client.set(queue.keys[part], "not ours");
}

describe("nothing fails halfway where a key has a wrong type:", () => {
  it.each(wrongTypes(true))(
    "$name fails before its first write with a wrong $part",
    async ({ scenario, part }) => {
      const queue = openQueue();
      await makeBusy(queue, scenario);
      await plantWrongType(queue, part);
      const before = await queue.snapshot();
      await expect(scenario.call(queue)).rejects.toThrow(IncompatibleDataError);
      expect(await queue.snapshot()).toEqual(before);
    },
  );

  it.each(wrongTypes(false))(
    "$name works or changes nothing with a wrong $part, which it only reads",
    async ({ scenario, part }) => {
      const queue = openQueue();
      await makeBusy(queue, scenario);
      await plantWrongType(queue, part);
      const before = await queue.snapshot();
      const hasFailed = await scenario.call(queue).then(
        () => false,
        () => true,
      );
      const after = hasFailed ? await queue.snapshot() : before;
      expect(after).toEqual(before);
    },
  );
});

describe("nothing fails halfway where a stored value is spoilt:", () => {
  // One such job must not keep the others of its batch from being settled or reaped.
  it.each(["nack", "bury", "reap"])(
    "%s with a count that is no number, taken for 0",
    async (name) => {
      const queue = openQueue();
      const scenario = scenarios.find(({ script }) => script.name === name) as Scenario;
      await makeBusy(queue, scenario);
      await queue.client.hset(queue.keys.attempts, { held: "many", expired: "many" });
      await scenario.call(queue);
      expect(Object.values(await queue.client.hgetall(queue.keys.attempts))).toContain("1");
    },
  );

  it("claim with a last claim of its own that is none, which it replaces", async () => {
    const queue = openQueue();
    await queue.plantDelayed("a", -1_000);
    await queue.client.hset(queue.keys.claims, "w1", "not ours");
    const claim = async () =>
      (await queue.run(scripts.claim, claimArguments(queue, {}))) as unknown[];
    const [token, ...rest] = await claim();
    expect(rest).toContain("a");
    expect((await claim())[0]).toBe(token);
  });

  it("claim with a last claim of its own whose jobs cannot be read", async () => {
    const queue = openQueue();
    await queue.plantDelayed("a", -1_000);
    await queue.client.hset(queue.keys.claims, "w1", "1:1:1:0:not ours");
    const before = await queue.snapshot();
    const call = queue.run(scripts.claim, claimArguments(queue, {}));
    await expect(call).rejects.toThrow("Redis reported an error");
    expect(await queue.snapshot()).toEqual(before);
  });

  it("claim with last claims of others that are none, of which each call looks at one", async () => {
    const queue = openQueue();
    for (let request = 1; request <= 50; request += 1) {
      await queue.client.hset(queue.keys.claims, { w2: "not ours", w3: "not ours" });
      await queue.plantDelayed(`job-${request}`, -1_000);
      expect(await claimJobs(queue, { request })).toMatchObject({ ids: [`job-${request}`] });
    }
  });

  it.each(writing)("$name with totals that are no numbers works", async (scenario) => {
    const queue = openQueue();
    await makeBusy(queue, scenario);
    const totals = ["token", "enqueued", "completed", "retried", "expired", "buried", "redriven"];
    const spoilt = [...totals, "cancelled", "purged"].map((field) => [field, "many"] as const);
    await queue.client.hset(queue.keys.meta, Object.fromEntries(spoilt));
    const { changes } = await queue.watch(() => scenario.call(queue));
    expect(Object.keys(changes).toSorted()).toEqual(scenario.writes.toSorted());
    await queue.checkInvariant();
  });
});

describe("a Redis at its memory limit", () => {
  const megabytes = 1024 * 1024;
  const maxMemory = 16 * megabytes;
  let server: RedisServer;
  let client: Redis;

  beforeAll(async () => {
    const limit = ["--maxmemory", String(maxMemory), "--maxmemory-policy", "noeviction"];
    server = await startServer({ args: limit });
    client = rawRedis(server.url);
    await client.ping();
  });

  afterAll(async () => {
    client.disconnect();
    await server.stop();
  });

  /** Far over the limit, so that nothing a script frees makes room again. */
  async function fillUp(): Promise<void> {
    await client.setrange("junk", maxMemory + megabytes, "x");
    await expectFull();
  }

  async function expectFull(): Promise<void> {
    await expect(client.set("more junk", "x")).rejects.toThrow(/^OOM/);
  }

  async function openFullQueue(scenario: Scenario): Promise<TestQueue> {
    await client.del("junk");
    const queue = openQueue(client);
    await makeBusy(queue, scenario);
    await fillUp();
    return queue;
  }

  it("refuses enqueue with nothing written", async () => {
    const scenario = scenarios.find(({ name }) => name === "enqueue") as Scenario;
    const queue = await openFullQueue(scenario);
    const before = await queue.snapshot();
    await expect(scenario.call(queue)).rejects.toThrow(QueueFullError);
    expect(await queue.snapshot()).toEqual(before);
  });

  it.each(scenarios.filter(({ name }) => name !== "enqueue"))(
    "lets $name work",
    async (scenario) => {
      const queue = await openFullQueue(scenario);
      const { changes } = await queue.watch(() => scenario.call(queue));
      expect(Object.keys(changes).toSorted()).toEqual(scenario.writes.toSorted());
      await queue.checkInvariant();
      await expectFull();
    },
  );

  it("lets each kind of breach be mended, also where it alone is to be mended", async () => {
    const mending = scenarios.find(({ name }) => name === "mend with repairs") as Scenario;
    for (const [id, kind] of [
      ["orphan", "orphan"],
      ["double", "double"],
      ["dangling", "dangling"],
    ] as const) {
      const queue = await openFullQueue(mending);
      const args = { mends: 1, maxLeases: 10_000, scanToken: "" };
      const verdict = () => queue.runOnBreach(scripts.mend, args, [id, ""]);
      expect(await verdict()).toMatchObject({ 0: kind });
      expect(await verdict()).toMatchObject({ 0: "sound" });
    }
  });

  it("lets a claim register a worker that finds nothing", async () => {
    const claiming = scenarios.find(({ name }) => name === "pause") as Scenario;
    const queue = await openFullQueue(claiming);
    await queue.client.del(queue.keys.delayed, queue.keys.jobs, queue.keys.waiting);
    await queue.runOnBreach(scripts.claim, claimArguments(queue, { workerId: "new" }));
    expect([...(await queue.part("waiting")).keys()]).toEqual(["new"]);
    await expectFull();
  });
});

describe("a Redis that refuses to publish", () => {
  let server: RedisServer;
  let client: Redis;

  beforeAll(async () => {
    server = await startServer({ args: ["--rename-command", "SPUBLISH", ""] });
    client = rawRedis(server.url);
    await client.ping();
  });

  afterAll(async () => {
    client.disconnect();
    await server.stop();
  });

  it("takes nobody for woken, enqueue for one", async () => {
    const queue = openQueue(client);
    await queue.plantWaiting("w1", 50_000);
    const args = { wakeChannel: queue.wakeChannel, dataVersion: 1, shards: 1 };
    await queue.run(scripts.enqueue, args, ["a", "{}", "+0"]);
    expect([...(await queue.part("waiting")).keys()]).toEqual([]);
  });

  it.each(writing)("lets $name work", async (scenario) => {
    const queue = openQueue(client);
    await makeBusy(queue, scenario);
    await expect(client.spublish(`${queue.wakeChannel}w1`, "")).rejects.toThrow("unknown command");
    const { changes } = await queue.watch(() => scenario.call(queue));
    expect(Object.keys(changes).toSorted()).toEqual(scenario.writes.toSorted());
    await queue.checkInvariant();
  });
});
