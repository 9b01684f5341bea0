import type { RunResult } from "./bench-queue.ts";
import type { BenchServer } from "./bench-server.ts";
import type { Measurement } from "./scenario.ts";

export interface ThroughputResult extends RunResult {
  readonly serverCpuMicroseconds: number;
}

/** Runs it, and adds what processor time the server used meanwhile. */
export async function withServerCpu(
  server: BenchServer,
  run: () => Promise<RunResult>,
): Promise<ThroughputResult> {
  const before = await server.cpuMicroseconds();
  const result = await run();
  return { ...result, serverCpuMicroseconds: (await server.cpuMicroseconds()) - before };
}

export function throughput(
  { label, client, mark }: { label: string; client: string; mark?: string | undefined },
  jobs: number,
  { elapsedMs, cpuMicroseconds, serverCpuMicroseconds }: ThroughputResult,
): Measurement[] {
  const unit = "µs/job";
  return [
    {
      metric: `${label}: throughput`,
      unit: "jobs/s",
      value: (jobs / elapsedMs) * 1_000,
      mark,
    },
    { metric: `${label}: server CPU`, unit, value: serverCpuMicroseconds / jobs },
    { metric: `${label}: ${client} CPU`, unit, value: cpuMicroseconds / jobs },
  ];
}
