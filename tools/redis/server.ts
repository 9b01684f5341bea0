/** What a started server offers, whether it runs as a process here or in a container. */
export interface RedisServer {
  readonly url: string;
  readonly host: string;
  readonly port: number;
  /** The server's process; a new one after each restart. In a container: as the engine sees it. */
  readonly pid: number;
  /** For people: what runs, where it came from, and its address. */
  readonly description: string;
  /** Ends the server for good and removes its data. May be called again. */
  stop(): Promise<void>;
  /** Resolves when the process is gone; after SIGSTOP and SIGCONT at once. */
  kill(signal?: ServerSignal): Promise<void>;
  /** Starts it again on the same port with the same data folder, after a clean end if it still runs. */
  restart(): Promise<void>;
  /** Runs a shell command in the folder with the server's data, also while it is stopped; answers what it prints. */
  shell(command: string): Promise<string>;
}

export type ServerSignal = "SIGKILL" | "SIGTERM" | "SIGSTOP" | "SIGCONT";

export interface ServerOptions {
  /** Added to the server's command line, for instance `["--appendonly", "yes"]`; the last one wins. */
  args?: readonly string[];
  /**
   * One of several servers that talk to each other, as replicas, Sentinels or nodes of a cluster do.
   * Without it, a server in cluster mode serves all slots alone.
   */
  hasPeers?: boolean;
  /** In a container: on this machine's own network, so that no proxy of the engine stands between. */
  hostNetwork?: boolean;
  /** In a container: which image; by default that of HOLDFAST_TEST_REDIS_IMAGE, or a Redis 8. */
  image?: string | undefined;
  /** The text of a configuration file of its own, which only a Sentinel needs. */
  config?: string;
}

/** A server that has not come up after this long will not. */
export const startTimeoutMs = 30_000;

/** What a shell command may print. */
export const shellOutputBytes = 64 * 1024 * 1024;

/** Ports are picked at random, so a second clash in a row is already unlikely. */
export const portAttempts = 5;

export function endsTheProcess(signal: ServerSignal): boolean {
  return signal === "SIGKILL" || signal === "SIGTERM";
}

function isClusterMode(args: readonly string[]): boolean {
  const index = args.lastIndexOf("--cluster-enabled");
  return index !== -1 && args[index + 1] === "yes";
}

/** Whether it must be made a whole cluster by itself before it serves. */
export function isLoneCluster({ args = [], hasPeers = false }: ServerOptions): boolean {
  return isClusterMode(args) && !hasPeers;
}

/** Nothing is written to disk unless the caller's arguments say so. */
export function serverArguments(port: number, announcedHost: string, args: readonly string[]) {
  const cluster = isClusterMode(args) ? ["--cluster-announce-ip", announcedHost] : [];
  const defaults = ["--port", String(port), "--save", "", "--appendonly", "no"];
  return [...defaults, ...cluster, ...args];
}

export function firstLine(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return message.split("\n", 1)[0] ?? "";
}
