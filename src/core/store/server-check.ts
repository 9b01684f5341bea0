/** Is this a server that keeps jobs? Read from INFO once a queue object, before its first script. */
import { withDeadline } from "../model/clock.ts";
import { RedisUnavailableError, UnsafeRedisError } from "../model/errors.ts";
import { NODE_TIMEOUT_MS } from "../model/limits.ts";
import type { RedisClient } from "./client.ts";
import { translateError } from "./redis-errors.ts";

type ServerInfo = ReadonlyMap<string, string>;

/** @throws UnsafeRedisError saying what to change */
export async function checkServer(
  client: RedisClient,
  allowUnsafeEviction: boolean,
): Promise<void> {
  const infos = client.isCluster ? await readPrimaryInfos(client) : [await readInfo(client)];
  for (const info of infos) {
    if (info !== undefined) {
      checkVersion(info);
      checkEviction(info, allowUnsafeEviction);
      // A cluster's client may take a demoted node for a primary; a call brings it up to date.
      if (!client.isCluster) checkRole(info);
    }
  }
}

/** Of the primaries that answer: one that is down or silent must not stop the queues of the others. */
async function readPrimaryInfos(client: RedisClient): Promise<(ServerInfo | undefined)[]> {
  if (client.status !== "ready") {
    await client.ping(); // until then it does not know its nodes
  }
  const silent = () => new RedisUnavailableError(`no answer from a node in ${NODE_TIMEOUT_MS} ms`);
  const answers = await Promise.allSettled(
    client.nodes("master").map((node) => withDeadline(readInfo(node), NODE_TIMEOUT_MS, silent)),
  );
  const infos = answers.filter((answer) => answer.status === "fulfilled").map(({ value }) => value);
  const failure = answers.find((answer) => answer.status === "rejected");
  if (infos.length === 0 && failure) {
    throw failure.reason;
  }
  return infos;
}

/** Undefined where the service hides INFO: what cannot be known is not held against it. */
async function readInfo(client: RedisClient): Promise<ServerInfo | undefined> {
  let text: string;
  try {
    text = await client.info();
  } catch (error) {
    const translated = translateError(error);
    if (translated.code === "REDIS_REFUSED" && !/NOAUTH|WRONGPASS/.test(translated.message)) {
      return undefined;
    }
    throw error;
  }
  return parseInfo(text);
}

/** The fields of an INFO. */
export function parseInfo(text: string): Map<string, string> {
  const lines = text.split(/\r?\n/).filter((line) => line.includes(":") && !line.startsWith("#"));
  return new Map(
    lines.map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 1)]),
  );
}

function checkVersion(info: ServerInfo): void {
  const valkey = info.get("valkey_version");
  const [product, version, floor] =
    valkey === undefined
      ? ["Redis", info.get("redis_version"), [7, 0]]
      : ["Valkey", valkey, [7, 2]];
  const [major = 0, minor = 0] = (version ?? "").split(".").map(Number);
  const [floorMajor = 0, floorMinor = 0] = floor;
  if (
    version !== undefined &&
    (major < floorMajor || (major === floorMajor && minor < floorMinor))
  ) {
    throw new UnsafeRedisError(
      `this is ${product} ${version}, but holdfast needs Redis 7.0 or Valkey 7.2 or newer: upgrade the server`,
    );
  }
}

function checkRole(info: ServerInfo): void {
  if (info.get("role") === "slave" && info.get("slave_read_only") !== "0") {
    throw new UnsafeRedisError("this Redis is a read-only replica: connect to the primary");
  }
}

function checkEviction(info: ServerInfo, allowUnsafeEviction: boolean): void {
  const policy = info.get("maxmemory_policy") ?? "";
  if (policy.startsWith("allkeys") && !allowUnsafeEviction) {
    throw new UnsafeRedisError(
      `this Redis may delete jobs when memory is short (maxmemory-policy ${policy}): ` +
        "set maxmemory-policy to noeviction, or pass allowUnsafeEviction: true and accept the loss",
    );
  }
}
