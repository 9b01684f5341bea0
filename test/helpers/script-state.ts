/** The complete content of a queue's nine keys: read, compared, judged by the invariant, moved in time. */
import type { Redis } from "ioredis";
import type { KeyPart, QueueKeys } from "../../src/core/store/keys.ts";

interface PartContent {
  /** As TYPE answers: "none" where there is no such key. */
  readonly type: string;
  readonly hasTtl: boolean;
  /** Members and scores, or fields and values, sorted. `claims` holds binary values, here in hex. */
  readonly entries: Map<string, string>;
}

export type Snapshot = Readonly<Record<KeyPart, PartContent>>;

/** Per part what differs: the new score or value, null for what is gone. */
export type Changes = Partial<Record<KeyPart, Record<string, string | null>>>;

const READ_ALL = `
local reply = {}
for index, key in ipairs(KEYS) do
  local kind, content = redis.call("TYPE", key).ok, {}
  if kind == "zset" then
    content = redis.call("ZRANGE", key, 0, -1, "WITHSCORES")
  elseif kind == "hash" then
    content = redis.call("HGETALL", key)
  elseif kind == "string" then
    content = { "", redis.call("GET", key) }
  end
  reply[index] = { kind, redis.call("PTTL", key), content }
end
return reply`;

/** In one step, as bytes: a client's own HGETALL would make an object of it, and ids may be "__proto__". */
export async function readSnapshot(client: Redis, keys: QueueKeys): Promise<Snapshot> {
  const names = Object.keys(keys) as KeyPart[];
  const replies = (await client.callBuffer(
    "EVAL",
    READ_ALL,
    names.length,
    ...names.map((name) => keys[name]),
  )) as [Buffer, number, Buffer[]][];
  const parts = replies.map(([type, ttl, content], index) => {
    const encoding = names[index] === "claims" ? "hex" : "utf8";
    const entries: [string, string][] = [];
    for (let at = 0; at < content.length; at += 2) {
      entries.push([String(content[at]), content[at + 1]!.toString(encoding)]);
    }
    entries.sort(([a], [b]) => (a < b ? -1 : 1));
    return [names[index], { type: String(type), hasTtl: ttl >= 0, entries: new Map(entries) }];
  });
  return Object.fromEntries(parts) as Snapshot;
}

export function changesBetween(before: Snapshot, after: Snapshot): Changes {
  const changes: [string, Record<string, string | null>][] = [];
  for (const part of Object.keys(before) as KeyPart[]) {
    const [old, now] = [before[part].entries, after[part].entries];
    const members = [...new Set([...old.keys(), ...now.keys()])];
    const changed = members.filter((member) => old.get(member) !== now.get(member));
    if (changed.length > 0) {
      const values = changed.map((member) => [member, now.get(member) ?? null] as const);
      changes.push([part, Object.fromEntries(values)]);
    }
  }
  return Object.fromEntries(changes);
}

const TYPES: Readonly<Record<KeyPart, "zset" | "hash">> = {
  delayed: "zset",
  processing: "zset",
  dead: "zset",
  jobs: "hash",
  attempts: "hash",
  errors: "hash",
  claims: "hash",
  waiting: "zset",
  meta: "hash",
};

/**
 * Each id in `jobs` is in exactly one of `delayed`, `processing` (under exactly one token) and `dead`;
 * no other part names an id that `jobs` lacks; no key has another type or a time to live.
 */
export function breachesOf(snapshot: Snapshot): string[] {
  const breaches: string[] = [];
  const places = new Map<string, string[]>();
  const place = (id: string, part: string) => {
    places.set(id, [...(places.get(id) ?? []), part]);
  };
  for (const part of Object.keys(TYPES) as KeyPart[]) {
    const { type, hasTtl } = snapshot[part];
    if (type !== "none" && type !== TYPES[part]) breaches.push(`${part} is a ${type}`);
    if (hasTtl) breaches.push(`${part} has a time to live`);
  }
  for (const id of snapshot.delayed.entries.keys()) place(id, "delayed");
  for (const id of snapshot.dead.entries.keys()) place(id, "dead");
  for (const lease of snapshot.processing.entries.keys()) {
    const id = /^([^]*):\d+$/.exec(lease)?.[1];
    if (id === undefined) breaches.push(`no lease: ${lease}`);
    else place(id, "processing");
  }
  const { jobs, attempts, errors } = snapshot;
  for (const id of jobs.entries.keys()) {
    const found = places.get(id) ?? [];
    if (found.length !== 1) breaches.push(`${id} is in ${found.join(" and ") || "no place"}`);
  }
  for (const id of [...places.keys(), ...attempts.entries.keys(), ...errors.entries.keys()]) {
    if (!jobs.entries.has(id)) breaches.push(`${id} has no envelope`);
  }
  return breaches;
}

const SHIFT_TIMES = `
local claims_key, ms = KEYS[#KEYS], tonumber(ARGV[1])
for index = 1, #KEYS - 1 do
  local entries = redis.call("ZRANGE", KEYS[index], 0, -1, "WITHSCORES")
  for at = 1, #entries, 2 do
    redis.call("ZADD", KEYS[index], string.format("%.0f", entries[at + 1] - ms), entries[at])
  end
end
local claims = redis.call("HGETALL", claims_key)
for at = 1, #claims, 2 do
  local claimed_at, claim = string.match(claims[at + 1], "^(%d+)(:.*)$")
  redis.call("HSET", claims_key, claims[at], string.format("%.0f", claimed_at - ms) .. claim)
end`;

/** Shifts every stored time back, which is the same as that much time having passed. */
export async function shiftTimes(client: Redis, keys: QueueKeys, ms: number): Promise<void> {
  const { delayed, processing, dead, waiting, claims } = keys;
  await client.eval(SHIFT_TIMES, 5, delayed, processing, dead, waiting, claims, ms);
}
