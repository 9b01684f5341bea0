/** A Redis with a clock of its own, which the test sets: the server runs under libfaketime. */
import { existsSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { startLocalServer } from "../../tools/redis/local-server.ts";
import type { RedisServer } from "../../tools/redis/server.ts";
import { provide, provideServer } from "./provide.ts";

export interface ClockServer extends RedisServer {
  /** Sets its clock, from now on so far ahead of this machine's. */
  setClock(aheadSeconds: number): void;
}

/** Started with its clock so far ahead of this machine's; gone after the test. */
export async function startClockServer(aheadSeconds = 0): Promise<ClockServer> {
  await provideServer();
  await provide("libfaketime", () => findLibrary() !== undefined);
  const folder = mkdtempSync(join(tmpdir(), "holdfast-clock-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = join(folder, "ahead");
  const setClock = (seconds: number) => {
    writeFileSync(`${file}.new`, seconds < 0 ? String(seconds) : `+${seconds}`);
    renameSync(`${file}.new`, file); // in one step: the server may read it at any time
  };
  setClock(aheadSeconds);
  const server = await startLocalServer({
    env: {
      // The C library's allocator in place of jemalloc, which reads the clock before libfaketime is ready.
      LD_PRELOAD: `${findLibrary()}:libc.so.6`,
      FAKETIME_TIMESTAMP_FILE: file,
      FAKETIME_NO_CACHE: "1",
      DONT_FAKE_MONOTONIC: "1",
    },
  });
  onTestFinished(() => server.stop());
  return Object.assign(server, { setClock });
}

/** The copy for programs with threads, in the folder of this machine's architecture. */
function findLibrary(): string | undefined {
  const folders = readdirSync("/usr/lib").map((name) => `/usr/lib/${name}/faketime`);
  return folders.map((folder) => join(folder, "libfaketimeMT.so.1")).find(existsSync);
}
