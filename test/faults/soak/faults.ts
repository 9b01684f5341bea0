/** Carries out what the plan says, and writes down when it began and when it was over. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Redis } from "ioredis";
import * as scripts from "../../../src/scripts/generated.ts";
import type { RedisServer } from "../../../tools/redis/server.ts";
import { waitFor } from "../../helpers/wait-for.ts";
import type { Journal } from "../history/journal.ts";
import type { Fleet } from "./fleet.ts";
import type { Fault } from "./plan.ts";

export interface World {
  readonly server: RedisServer;
  /** Not through a link. */
  readonly admin: Redis;
  readonly fleet: Fleet;
  readonly journal: Journal;
}

/**
 * Resolves when all faults are over and everything runs again. Faults of one target come one after the
 * other: what is stopped cannot be killed and restarted in the middle of it. Each waits until there is
 * somebody to strike, so that all that are counted did.
 */
export async function carryOutAll(faults: readonly Fault[], world: World): Promise<void> {
  const beganAt = performance.now();
  const lastOfTarget = new Map<string, Promise<void>>();
  for (const fault of faults) {
    await sleep(Math.max(0, beganAt + fault.atMs - performance.now()));
    const before = lastOfTarget.get(fault.target) ?? Promise.resolve();
    const after = before.then(() => carryOut(fault, world));
    after.catch(() => {}); // reported below, and by whatever waits for it
    lastOfTarget.set(fault.target, after);
  }
  await Promise.all(lastOfTarget.values());
  world.journal.write({ kind: "cuts-left", count: world.fleet.pendingCuts });
  world.fleet.heal();
}

async function carryOut(fault: Fault, world: World): Promise<void> {
  const isOfRedis = fault.target === "redis";
  if (!isOfRedis) await world.fleet.member(fault.target).isThere();
  const target = isOfRedis ? "redis" : world.fleet.member(fault.target).life;
  const note = { fault: fault.kind, target };
  world.journal.write({ kind: "fault", ...note });
  await (isOfRedis ? troubleRedis(fault, world) : troubleProcess(fault, world));
  world.journal.write({ kind: "fault-over", ...note });
}

async function troubleRedis(
  { kind, durationMs, clients }: Fault,
  { server, admin }: World,
): Promise<void> {
  switch (kind) {
    case "kill-redis":
      await server.kill("SIGKILL");
      await sleep(durationMs);
      return server.restart();
    case "stop-redis":
      await server.kill("SIGSTOP");
      await sleep(durationMs);
      return server.kill("SIGCONT");
    case "fill-redis":
      await admin.config("SET", "maxmemory", "1");
      await sleep(durationMs);
      await admin.config("SET", "maxmemory", "0");
      return;
    case "flush-scripts":
      await admin.script("FLUSH");
      return;
    case "kill-clients":
      return waitFor(
        async () => (await admin.call("CLIENT", "KILL", "TYPE", clients, "SKIPME", "yes")) !== 0,
      );
    default:
      throw new Error(`${kind} is no fault of Redis`);
  }
}

async function troubleProcess(fault: Fault, { fleet }: World): Promise<void> {
  const member = fleet.member(fault.target);
  const { proxy } = member;
  const { kind, durationMs } = fault;
  switch (kind) {
    case "kill-process":
      return member.signal("SIGKILL");
    case "end-process":
      return member.signal("SIGTERM");
    case "stop-process":
      member.signal("SIGSTOP");
      await sleep(durationMs);
      return member.signal("SIGCONT");
    case "cut-before-command":
      return proxy.dropNextRequest({ containing: sha1Of(fault.script) });
    case "cut-before-reply":
      return proxy.dropNextReply({ containing: sha1Of(fault.script) });
    case "cut-link":
      await waitFor(() => proxy.connectionCount > 0);
      return proxy.cut();
    case "refuse-link":
      proxy.refuse(true);
      proxy.cut();
      await sleep(durationMs);
      return proxy.refuse(false);
    case "black-hole":
      proxy.blackHole(true);
      await sleep(durationMs);
      return proxy.blackHole(false);
    case "latency":
      proxy.setLatencyMs(fault.latencyMs);
      await sleep(durationMs);
      return proxy.setLatencyMs(0);
    default:
      throw new Error(`${kind} is no fault of a process`);
  }
}

/** What a call of the script contains. */
function sha1Of(script: Fault["script"]): string {
  return Object.entries(scripts).find(([name]) => name === script)![1].sha1;
}
