/** Gathers all that the checks judge: the only part of the doctor that talks to servers. */
import { audit } from "../../core/engine/auditor.ts";
import { monotonicNow, startTimer } from "../../core/model/clock.ts";
import { HoldfastError } from "../../core/model/errors.ts";
import { resolveQueueOptions } from "../../core/model/queue-options.ts";
import { DATA_VERSION } from "../../core/model/limits.ts";
import type { VerifyReport } from "../../core/model/verify-report.ts";
import { type QueueStats, queueStats } from "../../core/queue-results.ts";
import { Connection } from "../../core/store/connection.ts";
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
  readonly shards: readonly ShardFacts[];
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
  const tags: Tag[] = [];
  let isComplete = true;
  for (const server of servers.filter(({ facts }) => "value" in facts)) {
    const endsAt = monotonicNow() + (queue === undefined ? SEARCH_MS : NAMED_SEARCH_MS);
    const found = await findQueueTags(
      server.connection,
      prefix,
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
  const isAsked = ({ tag }: Tag) => queue === undefined || nameOf(tag) === queue;
  return { tags: tags.filter(isAsked).slice(0, MAX_QUEUES), search: { value: { isComplete } } };
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
    const queues = new Map<string, { shards: ShardFacts[]; failures: ShardFailure[] }>();
    for (const { tag, server } of tags.toSorted((a, b) => compareTags(a.tag, b.tag))) {
      const queue = queues.get(nameOf(tag)) ?? { shards: [], failures: [] };
      queues.set(nameOf(tag), queue);
      const shard = { shard: shardOf(tag), server: server.address };
      try {
        const reader = await readQueue(server.connection, options.prefix, tag);
        const { dataVersion, wrongParts } = reader;
        if (wrongParts.length > 0 || dataVersion > DATA_VERSION) {
          queue.failures.push({ ...shard, isOurs: false, message: describeData(reader) });
          continue;
        }
        const stats = queueStats(await reader.readStats());
        const verify = controller.signal.aborted
          ? undefined
          : await audit(reader.audit, false, controller.signal);
        queue.shards.push({ ...shard, stats, verify });
      } catch (error) {
        if (!(error instanceof HoldfastError)) {
          throw error;
        }
        queue.failures.push({ ...shard, isOurs: true, message: error.message });
      }
    }
    return [...queues].map(([name, { shards, failures }]) => ({ name, shards, failures }));
  } finally {
    timer.cancel();
  }
}

function describeData({ dataVersion, wrongParts }: QueueReader): string {
  return wrongParts.length > 0
    ? `keys of this queue hold other types than holdfast's (${wrongParts.join(", ")})`
    : `the data has version ${dataVersion}, but this release knows versions up to ${DATA_VERSION}`;
}

function compareTags(a: string, b: string): number {
  return nameOf(a).localeCompare(nameOf(b)) || (shardOf(a) ?? 0) - (shardOf(b) ?? 0);
}
