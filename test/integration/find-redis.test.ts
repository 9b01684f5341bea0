/** How the demo, the tests and the benches find a Redis. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test, vi } from "vitest";
import { findRedis } from "../../tools/redis/find-redis.ts";
import { rawRedis, testRedisUrl } from "../helpers/redis.ts";

function environment(variables: Record<string, string>): string[] {
  for (const [name, value] of Object.entries(variables)) vi.stubEnv(name, value);
  onTestFinished(() => void vi.unstubAllEnvs());
  return [];
}

test("REDIS_URL comes first, is said in one line, and is left alone", async () => {
  const lines = environment({ REDIS_URL: testRedisUrl() });
  const found = await findRedis({ print: (line) => lines.push(line) });
  expect(found.url).toBe(testRedisUrl());
  expect(lines).toHaveLength(1);
  expect(lines[0]).toMatch(/^Redis: .+ from REDIS_URL, on /);
  await found.stop();
  expect(await rawRedis().ping()).toBe("PONG");
});

test("a REDIS_URL where nothing answers is told, without its password", async () => {
  environment({ REDIS_URL: "redis://user:secret@127.0.0.1:9" });
  const error = await findRedis().catch((reason: unknown) => reason);
  expect(String(error)).toMatch(/REDIS_URL is set, but no Redis answers on 127\.0\.0\.1:9/);
  expect(String(error)).not.toContain("secret");
});

test("where there is none, the error names three ways to get one", async () => {
  const emptyFolder = mkdtempSync(join(tmpdir(), "holdfast-no-redis-"));
  onTestFinished(() => rmSync(emptyFolder, { recursive: true }));
  const lines = environment({
    REDIS_URL: "",
    HOLDFAST_TEST_REDIS_IMAGE: "",
    PATH: emptyFolder,
    DOCKER_HOST: "tcp://127.0.0.1:9",
  });
  await expect(findRedis({ print: (line) => lines.push(line) })).rejects.toThrow(
    /set REDIS_URL .*; install redis-server or valkey-server.*; or start a container engine/,
  );
});

test("where an image is named, no other server is taken for it", async () => {
  const image = "localhost:9/no/such:image";
  const lines = environment({ REDIS_URL: "", HOLDFAST_TEST_REDIS_IMAGE: image });
  await expect(findRedis({ print: (line) => lines.push(line) })).rejects.toThrow(
    /No Redis found.*(no container engine|no\/such:image)/,
  );
});
