/**
 * The few calls of a Redis client that holdfast uses. ioredis 5 and 6 have them, standalone and
 * Cluster; a client is told by its shape, since an application may hold another copy of ioredis.
 */
export type RedisArgument = string | number | Buffer;

/** Per command its error or its reply. */
type PipelineResults = [Error | null, unknown][];

interface RedisPipeline {
  eval(...args: RedisArgument[]): unknown;
  evalsha(...args: RedisArgument[]): unknown;
  call(command: string, ...args: RedisArgument[]): unknown;
  exec(): Promise<PipelineResults | null>;
}

export interface RedisClient {
  readonly status: string;
  /** The socket; none between two connections, and of a cluster client. */
  readonly stream?: { on(event: "error", listener: () => void): unknown };
  readonly isCluster?: boolean;
  /** Of a client that is no cluster: the database that it is in. */
  readonly condition?: { readonly select?: number } | null;
  readonly options?: {
    readonly keyPrefix?: string;
    readonly host?: string;
    readonly port?: number;
    /** Of a Unix socket. */
    readonly path?: string | null;
    readonly sentinels?: readonly unknown[] | null;
    /** Of a cluster client: what each node is connected with. */
    readonly redisOptions?: object;
  };
  /** Of a cluster client: by slot, the nodes that have it, the primary first. */
  readonly slots?: readonly (readonly string[])[];
  evalsha(...args: RedisArgument[]): Promise<unknown>;
  eval(...args: RedisArgument[]): Promise<unknown>;
  evalBuffer(...args: RedisArgument[]): Promise<unknown>;
  evalshaBuffer(...args: RedisArgument[]): Promise<unknown>;
  script(subcommand: "LOAD", source: string): Promise<unknown>;
  /** Any command by its name. */
  call(command: string, ...args: RedisArgument[]): Promise<unknown>;
  pipeline(): RedisPipeline;
  info(): Promise<string>;
  call(command: string, ...args: RedisArgument[]): Promise<unknown>;
  ping(): Promise<unknown>;
  ssubscribe(channel: string): Promise<unknown>;
  sunsubscribe(channel: string): Promise<unknown>;
  nodes(role: "master" | "all"): RedisClient[];
  /** Of a cluster client: asks anew which node has which slots. */
  refreshSlotsCache?(callback?: () => void): void;
  duplicate(...args: unknown[]): RedisClient;
  connect(): Promise<void>;
  disconnect(reconnect?: boolean): void;
  quit(): Promise<unknown>;
  on(event: string, listener: (...args: never[]) => void): unknown;
  off(event: string, listener: (...args: never[]) => void): unknown;
}

/**
 * For a client of holdfast's own. ioredis listens to the first error of a socket only; a TLS socket may
 * have several, and one that nobody listens to would end the process.
 */
export function outliveSocketErrors(client: RedisClient): void {
  client.on("error", () => {
    client.stream?.on("error", () => undefined);
  });
}

export function isRedisClient(value: object): value is RedisClient {
  const candidate = value as Partial<RedisClient>;
  return typeof candidate.evalsha === "function" && typeof candidate.duplicate === "function";
}
