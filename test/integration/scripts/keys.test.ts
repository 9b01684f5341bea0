import { createHash } from "node:crypto";
import { once } from "node:events";
import type { Redis } from "ioredis";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { queueKeys } from "../../../src/core/store/keys.ts";
import type { ScriptDefinition } from "../../../src/scripts/definition.ts";
import * as scripts from "../../../src/scripts/generated.ts";
import { type RedisServer, startServer } from "../../../tools/redis/start-server.ts";
import { rawRedis, uniqueName } from "../../helpers/redis.ts";
import { openQueue, type TestQueue } from "../../helpers/script-harness.ts";
import { makeBusy, type Scenario, scenarios } from "../../helpers/script-scenarios.ts";

let server: RedisServer;
let client: Redis;

beforeAll(async () => {
  server = await startServer({ args: ["--cluster-enabled", "yes"] });
  client = rawRedis(server.url);
  await client.ping();
});

afterAll(async () => {
  client.disconnect();
  await server.stop();
});

/** The commands that scripts send while `call` runs, as the server sees them. */
async function innerCommands(call: () => Promise<unknown>): Promise<string[][]> {
  const monitor = await client.monitor();
  const fence = uniqueName("fence");
  const commands: string[][] = [];
  monitor.on("monitor", (_time: string, args: string[], source: string) => {
    if (source === "lua") {
      commands.push(args);
    } else if (args[1] === fence) {
      monitor.removeAllListeners("monitor");
      monitor.emit("fence");
    }
  });
  try {
    await call();
    const fenced = once(monitor, "fence");
    await client.echo(fence);
    await fenced;
  } finally {
    monitor.disconnect();
  }
  return commands;
}

/** Channels are no keys. */
const PUBLISHING = new Set(["SPUBLISH", "PUBLISH"]);

async function keysOf(command: readonly string[]): Promise<string[]> {
  const [name = "", ...args] = command;
  if (PUBLISHING.has(name.toUpperCase()) || args.length === 0) {
    return [];
  }
  return (await client.command("GETKEYS", name, ...args)) as string[];
}

async function touchedKeys(call: () => Promise<unknown>): Promise<Set<string>> {
  return keysOfAll(await innerCommands(call));
}

async function keysOfAll(commands: readonly string[][]): Promise<Set<string>> {
  expect(commands.length).toBeGreaterThan(0);
  return new Set((await Promise.all(commands.map(keysOf))).flat());
}

function passedKeys(queue: TestQueue, script: ScriptDefinition): string[] {
  return script.keys.map((part) => queue.keys[part as keyof typeof queue.keys]);
}

describe("on a server in cluster mode", () => {
  it("all keys and wake-up channels of a queue are in one slot", async () => {
    const queue = openQueue(client);
    const names = [...Object.values(queue.keys), `${queue.wakeChannel}w1`] as string[];
    const slots = await Promise.all(names.map((name) => client.cluster("KEYSLOT", name)));
    expect(names).toHaveLength(10);
    expect(new Set(slots).size).toBe(1);
    const other = queueKeys("holdfast-test", uniqueName("other"));
    expect(await client.cluster("KEYSLOT", other.jobs)).not.toBe(slots[0]);
  });

  it.each(scenarios)("$name works, and touches only the keys passed in", async (scenario) => {
    const queue = openQueue(client);
    await makeBusy(queue, scenario);
    const commands = await innerCommands(() => scenario.call(queue));
    await queue.checkInvariant();
    const touched = await keysOfAll(commands);
    const passed = passedKeys(queue, scenario.script);
    expect([...touched].filter((key) => !passed.includes(key))).toEqual([]);
    const published = commands.filter(([name = ""]) => PUBLISHING.has(name.toUpperCase()));
    for (const [name, channel] of published) {
      expect(name?.toUpperCase()).toBe("SPUBLISH");
      expect(channel?.startsWith(queue.wakeChannel)).toBe(true);
    }
    const changed = scenario.writes.map((part) => queue.keys[part]);
    expect([...touched]).toEqual(expect.arrayContaining(changed));
  });

  it.each(Object.values(scripts))("$name is passed no key that it never uses", async (script) => {
    const unused = new Set<string>(script.keys);
    for (const scenario of scenarios.filter((candidate) => candidate.script === script)) {
      const queue = openQueue(client);
      await makeBusy(queue, scenario);
      const touched = await touchedKeys(() => scenario.call(queue));
      for (const part of script.keys) {
        if (touched.has(queue.keys[part])) unused.delete(part);
      }
    }
    expect([...unused]).toEqual([]);
  });
});

describe("these tests", () => {
  const source = `local meta_key = KEYS[1]
    local jobs_key = string.gsub(meta_key, "meta$", "jobs")
    redis.call("TIME")
    redis.call("HMGET", meta_key, "paused", "token")
    return redis.call("HEXISTS", jobs_key, "due")`;
  const wrong: ScriptDefinition = {
    name: "wrong",
    sha1: createHash("sha1").update(source).digest("hex"),
    keys: ["meta"],
    args: [],
    listFields: [],
    source,
  };

  it("see a key that a script makes up", async () => {
    const queue = openQueue(client);
    const scenario: Scenario = {
      name: "wrong",
      script: wrong,
      writes: [],
      call: () => queue.runOnBreach(wrong, {}),
    };
    await makeBusy(queue, scenario);
    const touched = await touchedKeys(() => scenario.call(queue));
    expect(touched).toEqual(new Set([queue.keys.meta, queue.keys.jobs]));
    expect(passedKeys(queue, wrong)).toEqual([queue.keys.meta]);
  });
});
