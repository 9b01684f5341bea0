/** Gathers all that the checks judge: the only part of the doctor that talks to servers. */
import { audit } from "../../core/engine/auditor.ts";
import { monotonicNow, startTimer } from "../../core/model/clock.ts";
import { HoldfastError } from "../../core/model/errors.ts";
import { resolveQueueOptions } from "../../core/model/queue-options.ts";
import { DATA_VERSION, MAX_SHARDS } from "../../core/model/limits.ts";
import type { VerifyReport } from "../../core/model/verify-report.ts";
import { type QueueStats, queueStats } from "../../core/queue-results.ts";
import { Connection } from "../../core/store/connection.ts";
import { shardTags } from "../../core/store/keys.ts";
import { type QueueReader, readQueue } from "../../core/store/queue-facts.ts";
import {
  connectToServer,
  findQueueTags,
  type Known,
  readPrimaries,
  readServerFacts,
  type ServerFacts,
} from "../../core/store/server-facts.ts";
import type { DoctorOptions } from "./options.ts";

/** A server with many other keys is searched for queues this long, a cluster's servers one by one. */
const SEARCH_MS = 5_000;
/** Where one queue is asked for by its name, it is worth more. */
const NAMED_SEARCH_MS = 60_000;
const MAX_QUEUES = 1_000;
const MAX_SERVERS = 100;
/** A server that has failed for this long in all is not asked for the rest of its queues. */
const MAX_FAILING_MS = 10_000;

interface NamedServer {
  readonly address: string;
  readonly facts: Known<ServerFacts>;
}

export interface ShardFacts {
  readonly shard: number | undefined;
  readonly server: string;
  readonly stats: QueueStats;
  /** Undefined where there was no time for it. */
  readonly verify: VerifyReport | undefined;
}

interface OutsiderFacts {
  readonly shard: number | undefined;
  readonly jobs: number;
  /** As noted in this shard; 0 where nothing is. */
  readonly notedShards: number;
}

/** Why a shard could not be looked at. */
interface ShardFailure {
  readonly shard: number | undefined;
  readonly server: string;
  /** False where the data is of another kind, or of a newer release. */
  readonly isOurs: boolean;
  readonly message: string;
}

export interface QueueFacts {
  readonly name: string;
  /** Over how many shards it is spread, as it is noted in Redis. */
  readonly shardCount: number;
  readonly shards: readonly ShardFacts[];
  /** Those of them that are none of the noted number's: no worker with that number looks there. */
  readonly outsiders: readonly OutsiderFacts[];
  /** Whether a shard is marked as one whose number of shards is being changed. */
  readonly isMarked: boolean;
  readonly failures: readonly ShardFailure[];
}

export interface Facts {
  readonly servers: readonly NamedServer[];
  /** Whether all servers of a cluster are known; undefined where there is no cluster. */
  readonly primaries: Known<string[]> | undefined;
  readonly search: Known<{ readonly isComplete: boolean }>;
  readonly queues: readonly QueueFacts[];
}

interface Server extends NamedServer {
  readonly connection: Connection;
}

/** @throws HoldfastError if the first server cannot be reached, or does not let us in */
export async function gatherFacts(options: DoctorOptions): Promise<Facts> {
  const opened: Connection[] = [];
  try {
    const first = await openServer(new URL(options.url), opened);
    const isCluster = first.facts.value.cluster !== undefined;
    const primaries = isCluster ? await readPrimaries(first.connection) : undefined;
    const servers: readonly Server[] =
      primaries && "value" in primaries
        ? await openPrimaries(options, primaries.value, first, opened)
        : [first];
    const { tags, search } = await findTags(options, servers);
    const queues = await lookAtQueues(options, tags);
    return {
      servers: servers.map(({ address, facts }) => ({ address, facts })),
      primaries,
      search,
      queues,
    };
  } finally {
    await Promise.all(opened.map((connection) => connection.close()));
  }
}

async function openServer(url: URL, opened: Connection[]) {
  // Of a queue's options only the place matters here; nothing is refused, all is told.
  const connection = new Connection(
    resolveQueueOptions("doctor", { connection: url.href, allowUnsafeEviction: true }),
  );
  opened.push(connection);
  await connectToServer(connection);
  const facts = { value: await readServerFacts(connection) };
  return { address: url.host, facts, connection };
}

/** A primary that cannot be reached is a finding, not the end. The first server may be a replica. */
async function openPrimaries(
  options: DoctorOptions,
  addresses: readonly string[],
  first: Server,
  opened: Connection[],
): Promise<Server[]> {
  const servers: Server[] = [];
  for (const address of addresses.slice(0, MAX_SERVERS)) {
    const url = new URL(options.url);
    const colon = address.lastIndexOf(":");
    const host = address.slice(0, colon) || url.hostname;
    url.hostname = host.includes(":") && !host.startsWith("[") ? `[${host}]` : host;
    url.port = address.slice(colon + 1);
    if (url.host === first.address) {
      servers.push(first);
      continue;
    }
    try {
      servers.push(await openServer(url, opened));
    } catch (error) {
      if (!(error instanceof HoldfastError)) {
        throw error;
      }
      servers.push({ ...first, address: url.host, facts: { hidden: error.message } });
    }
  }
  return servers.length > 0 ? servers : [first];
}

interface Tag {
  readonly tag: string;
  readonly server: Server;
}

async function findTags(
  { prefix, queue }: DoctorOptions,
  servers: readonly Server[],
): Promise<{ tags: Tag[]; search: Known<{ isComplete: boolean }> }> {
  const isAsked = (tag: string) => queue === undefined || nameOf(tag) === queue;
  const tags: Tag[] = [];
  let isComplete = true;
  for (const server of servers.filter(({ facts }) => "value" in facts)) {
    const endsAt = monotonicNow() + (queue === undefined ? SEARCH_MS : NAMED_SEARCH_MS);
    const found = await findQueueTags(
      server.connection,
      prefix,
      isAsked,
      (count) => count < MAX_QUEUES && monotonicNow() < endsAt,
    );
    if ("hidden" in found) {
      // Without SCAN, a queue that is named can still be looked at where it is not sharded.
      const named = queue !== undefined && servers.length === 1 ? [{ tag: queue, server }] : [];
      return { tags: named, search: found };
    }
    isComplete &&= found.value.isComplete;
    tags.push(...found.value.tags.map((tag) => ({ tag, server })));
  }
  isComplete &&= tags.length <= MAX_QUEUES;
  return { tags: tags.slice(0, MAX_QUEUES), search: { value: { isComplete } } };
}

/** A queue's name cannot end in a slash and a number: that is what a shard's tag does. */
function nameOf(tag: string): string {
  return tag.replace(/\/\d+$/, "");
}

function shardOf(tag: string): number | undefined {
  const shard = /\/(\d+)$/.exec(tag)?.[1];
  return shard === undefined ? undefined : Number(shard);
}

async function lookAtQueues(options: DoctorOptions, tags: readonly Tag[]): Promise<QueueFacts[]> {
  const controller = new AbortController();
  const timer = startTimer(options.verifyMs, () => controller.abort());
  if (options.verifyMs === 0) {
    controller.abort();
  }
  try {
    const looks = new Map<string, Look[]>();
    const failingMs = new Map<Server, number>();
    for (const tag of tags.toSorted((a, b) => compareTags(a.tag, b.tag))) {
      const lostMs = failingMs.get(tag.server) ?? 0;
      const startedAt = monotonicNow();
      const look =
        lostMs < MAX_FAILING_MS
          ? await lookAt(options.prefix, tag, controller.signal)
          : {
              failure: {
                ...placeOf(tag),
                isOurs: true,
                message: "this server has failed for too long",
              },
            };
      if ("failure" in look) {
        failingMs.set(tag.server, lostMs + monotonicNow() - startedAt);
      }
      const name = nameOf(tag.tag);
      looks.set(name, [...(looks.get(name) ?? []), look]);
    }
    return [...looks].map(([name, parts]) => queueFacts(name, parts));
  } finally {
    timer.cancel();
  }
}

type Look =
  | { readonly facts: ShardFacts; readonly notedShards: number; readonly isMarked: boolean }
  | { readonly failure: ShardFailure };

async function lookAt(prefix: string, tag: Tag, signal: AbortSignal): Promise<Look> {
  const place = placeOf(tag);
  try {
    const reader = await readQueue(tag.server.connection, prefix, tag.tag);
    const { dataVersion, wrongParts } = reader;
    if (wrongParts.length > 0 || dataVersion > DATA_VERSION) {
      return { failure: { ...place, isOurs: false, message: describeData(reader) } };
    }
    const stats = queueStats(await reader.readStats());
    const verify = signal.aborted ? undefined : await audit(reader.audit, false, signal);
    const { shards: notedShards, isMarked } = reader;
    return { facts: { ...place, stats, verify }, notedShards, isMarked };
  } catch (error) {
    if (!(error instanceof HoldfastError)) {
      throw error;
    }
    return { failure: { ...place, isOurs: true, message: error.message } };
  }
}

function placeOf({ tag, server }: Tag) {
  return { shard: shardOf(tag), server: server.address };
}

function queueFacts(name: string, looks: readonly Look[]): QueueFacts {
  const seen = looks.filter((look) => "facts" in look);
  // What the queue's plain name notes counts before what its shards do.
  const home = seen.find(({ facts }) => facts.shard === undefined);
  const shardCount = home?.notedShards || Math.max(0, ...seen.map((look) => look.notedShards));
  const shards = seen.map(({ facts }) => facts);
  const tags = new Set(shardTags(name, Math.min(Math.max(shardCount, 1), MAX_SHARDS)));
  const used = shards.filter((facts) => tags.has(tagOf(name, facts)) || !isEmpty(facts));
  return {
    name,
    shardCount,
    shards: used.length > 0 ? used : shards,
    outsiders: seen
      .filter(({ facts }) => !tags.has(tagOf(name, facts)) && jobsOf(facts) > 0)
      .map(({ facts, notedShards }) => ({ shard: facts.shard, jobs: jobsOf(facts), notedShards })),
    isMarked: seen.some((look) => look.isMarked),
    failures: looks.flatMap((look) => ("failure" in look ? look.failure : [])),
  };
}

function tagOf(name: string, { shard }: ShardFacts): string {
  return shard === undefined ? name : `${name}/${shard}`;
}

/** So is the plain name of a sharded queue, which only notes their number, and a shard of former days. */
function isEmpty(facts: ShardFacts): boolean {
  return jobsOf(facts) === 0 && (facts.verify?.breachCount ?? 0) === 0;
}

function jobsOf({ stats }: ShardFacts): number {
  return stats.delayed + stats.due + stats.processing + stats.dead;
}

function describeData({ dataVersion, wrongParts }: QueueReader): string {
  return wrongParts.length > 0
    ? `keys of this queue hold other types than holdfast's (${wrongParts.join(", ")})`
    : `the data has version ${dataVersion}, but this release knows versions up to ${DATA_VERSION}`;
}

function compareTags(a: string, b: string): number {
  return nameOf(a).localeCompare(nameOf(b)) || (shardOf(a) ?? 0) - (shardOf(b) ?? 0);
}
