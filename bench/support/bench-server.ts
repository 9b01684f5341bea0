/** The measuring client, and what it reads from the server. */
import { Redis } from "ioredis";

const commandTimeoutMs = 30_000;

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
