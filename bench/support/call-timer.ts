/** How long one script call holds the server, by the server's own statistics of EVALSHA. */
import { type BenchServer, cpuMicroseconds } from "./bench-server.ts";

export interface TimedSample {
  readonly elapsedMs: number;
  /** With the cost of reading it, so a little too high. */
  readonly cpuMs: number;
}

/** No setting of the server is touched. Exactly one script may be called meanwhile. */
export async function timeCall<Result>(
  server: BenchServer,
  call: () => Promise<Result>,
): Promise<{ result: Result; sample: TimedSample }> {
  const before = await readCounters(server);
  const result = await call();
  const after = await readCounters(server);
  const sample = {
    elapsedMs: (after.microseconds - before.microseconds) / 1_000,
    cpuMs: (after.cpuMicroseconds - before.cpuMicroseconds) / 1_000,
  };
  return { result, sample };
}

async function readCounters(
  server: BenchServer,
): Promise<{ microseconds: number; cpuMicroseconds: number }> {
  const info = await server.info("cpu", "commandstats");
  const microseconds = Number(/usec=(\d+)/.exec(info.get("cmdstat_evalsha") ?? "")?.[1] ?? 0);
  return { microseconds, cpuMicroseconds: cpuMicroseconds(info) };
}
