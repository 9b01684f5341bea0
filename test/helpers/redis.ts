import { randomBytes } from "node:crypto";
import { Cluster, Redis } from "ioredis";
import { afterAll, inject, onTestFinished, TestRunner } from "vitest";

const fileClients = new Set<Redis>();

afterAll(() => {
  for (const client of fileClients) {
    client.disconnect();
  }
  fileClients.clear();
});

/**
 * The single server that all tests share, for those about URLs, options or one server's faults. What
 * empties or configures a server starts its own instead.
 */
export function testRedisUrl(): string {
  return inject("redisUrl");
}

/** Nodes of the cluster that the tests run on; none where they run on the single server. */
export function testClusterNodes(): { host: string; port: number }[] {
  return inject("clusterNodes");
}

/** What a test gives to a queue: the single server's URL, or a client of the cluster. */
export function testConnection(): string | Cluster {
  return testClusterNodes().length > 0 ? (rawRedis() as unknown as Cluster) : testRedisUrl();
}

/** A name that no other test uses, so that tests can share a server. */
export function uniqueName(label: string): string {
  return `${label}-${randomBytes(6).toString("hex")}`;
}

/**
 * A plain client, closed after the test that opened it, or after the file if it was opened outside
 * of a test or in a `beforeAll`. There, `await client.ping()` makes sure that it connects before the
 * first test, whose leak check would find its socket.
 *
 * @param url of a server of the test's own; otherwise it is the one that all tests share
 */
export function rawRedis(url?: string): Redis {
  const client = url === undefined ? openShared() : openSingle(url);
  if (TestRunner.getCurrentTest() === undefined) {
    fileClients.add(client);
  } else {
    onTestFinished(() => client.disconnect());
  }
  return client;
}

/** A client for each server behind this one, for commands that name no key. */
export function serversOf(client: Redis): Redis[] {
  return client.isCluster ? (client as unknown as Cluster).nodes("master") : [client];
}

function openSingle(url: string): Redis {
  return new Redis(url, { disconnectTimeout: 100 });
}

/** A cluster's client does for the tests what a server's does, and is taken for one. */
function openShared(): Redis {
  const nodes = testClusterNodes();
  return nodes.length > 0
    ? (new Cluster(nodes, {
        shardedSubscribers: true,
        redisOptions: { disconnectTimeout: 100 },
      }) as unknown as Redis)
    : openSingle(testRedisUrl());
}
