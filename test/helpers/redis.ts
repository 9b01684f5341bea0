import { randomBytes } from "node:crypto";
import { Redis } from "ioredis";
import { afterAll, inject, onTestFinished, TestRunner } from "vitest";

const fileClients = new Set<Redis>();

afterAll(() => {
  for (const client of fileClients) {
    client.disconnect();
  }
  fileClients.clear();
});

/** The server that all tests share. What empties or configures a server starts its own instead. */
export function testRedisUrl(): string {
  return inject("redisUrl");
}

/** A name that no other test uses, so that tests can share a server. */
export function uniqueName(label: string): string {
  return `${label}-${randomBytes(6).toString("hex")}`;
}

/**
 * A plain client, closed after the test that opened it, or after the file if it was opened outside
 * of a test or in a `beforeAll`. There, `await client.ping()` makes sure that it connects before the
 * first test, whose leak check would find its socket.
 */
export function rawRedis(url: string = testRedisUrl()): Redis {
  const client = new Redis(url, { disconnectTimeout: 100 });
  if (TestRunner.getCurrentTest() === undefined) {
    fileClients.add(client);
  } else {
    onTestFinished(() => client.disconnect());
  }
  return client;
}
