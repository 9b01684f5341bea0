/** The measuring client, and what it reads from the server. */
import { Redis } from "ioredis";

/** Removing ten million jobs is one command. */
const commandTimeoutMs = 120_000;
const scanCount = 10_000;

export class BenchServer {
  readonly url: string;
  readonly client: Redis;

  constructor(url: string) {
    this.url = url;
    this.client = new Redis(url, { lazyConnect: true, commandTimeout: commandTimeoutMs });
    // The failing call reports it; without a listener it would be printed a second time.
    this.client.on("error", () => undefined);
  }

  async info(...sections: string[]): Promise<ReadonlyMap<string, string>> {
    const text = String(await this.client.call("INFO", ...sections));
    const lines = text.split("\r\n").filter((line) => line.includes(":"));
    return new Map(
      lines.map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 1)]),
    );
  }

  async usedMemoryBytes(): Promise<number> {
    return numberOf(await this.info("memory"), "used_memory");
  }

  /** Processor time that the server has used so far. */
  async cpuMicroseconds(): Promise<number> {
    return cpuMicroseconds(await this.info("cpu"));
  }

  /** Runs it, and answers also what processor time the server used meanwhile. */
  async withCpu<Result>(run: () => Promise<Result>): Promise<[Result, number]> {
    const before = await this.cpuMicroseconds();
    const result = await run();
    return [result, (await this.cpuMicroseconds()) - before];
  }

  /** Removes every key that begins so, and waits until their memory is free. */
  async removeKeys(prefix: string): Promise<void> {
    for await (const keys of this.client.scanStream({ match: `${prefix}:*`, count: scanCount })) {
      if ((keys as string[]).length > 0) {
        await this.client.del(keys as string[]);
      }
    }
  }

  close(): void {
    this.client.disconnect();
  }
}

export function cpuMicroseconds(info: ReadonlyMap<string, string>): number {
  return (numberOf(info, "used_cpu_user") + numberOf(info, "used_cpu_sys")) * 1_000_000;
}

function numberOf(info: ReadonlyMap<string, string>, field: string): number {
  const value = Number(info.get(field));
  if (!info.has(field) || Number.isNaN(value)) {
    throw new Error(`INFO has no number ${field}`);
  }
  return value;
}
