import { once } from "node:events";
import { connect, createServer } from "node:net";
import type { AddressInfo, Server, Socket } from "node:net";
import { DelayedPipe } from "./delayed-pipe.ts";
import type { PipeRules } from "./delayed-pipe.ts";

export interface FaultProxyOptions {
  targetPort: number;
  targetHost?: string;
  /** Where it listens; on loopback unless said otherwise. */
  listenHost?: string;
}

export interface DropOptions {
  /** Waits for a request that contains this text, for instance a command's name. */
  containing?: string;
}

/** Starts a TCP proxy in front of a server, whose connections fail on command. */
export async function startFaultProxy(options: FaultProxyOptions): Promise<FaultProxy> {
  const proxy = new FaultProxy(options);
  await proxy.start();
  return proxy;
}

type Trap = DropOptions & { kind: "request" | "reply" };

interface Connection {
  client: Socket;
  upstream: Socket;
  requests: DelayedPipe;
  replies: DelayedPipe;
  /** The next reply byte ends the client's socket. */
  isDoomed: boolean;
  /** Closed while in a black hole, so the other side must not hear of it yet. */
  closesLater: Socket[];
}

export class FaultProxy {
  #targetPort: number;
  readonly #targetHost: string;
  readonly #listenHost: string;
  readonly #server: Server;
  readonly #connections = new Set<Connection>();
  readonly #rules: PipeRules = { latencyMs: 0, blackHole: false };
  readonly #traps: Trap[] = [];
  #refuses = false;
  #port = 0;
  #accepted = 0;

  constructor(options: FaultProxyOptions) {
    this.#targetPort = options.targetPort;
    this.#targetHost = options.targetHost ?? "127.0.0.1";
    this.#listenHost = options.listenHost ?? "127.0.0.1";
    this.#server = createServer({ allowHalfOpen: true, noDelay: true }, (client) =>
      this.#accept(client),
    );
  }

  async start(): Promise<void> {
    this.#server.listen(0, this.#listenHost);
    await once(this.#server, "listening");
    this.#port = (this.#server.address() as AddressInfo).port;
  }

  get port(): number {
    return this.#port;
  }

  get url(): string {
    return `redis://${this.#listenHost}:${this.port}`;
  }

  /** Clients connected now. */
  get connectionCount(): number {
    return [...this.#connections].filter(({ client }) => !client.destroyed).length;
  }

  /** Connections accepted since the start, whatever became of them. */
  get acceptedCount(): number {
    return this.#accepted;
  }

  /** Ends all connections now. New ones are welcome. */
  cut(): void {
    for (const { client, upstream } of this.#connections) {
      client.destroy();
      upstream.destroy();
    }
  }

  /** From now on leads to another server on the same host, as an address does after a failover. */
  retarget(port: number): void {
    this.#targetPort = port;
    this.cut();
  }

  /** While refusing, a new connection is reset as soon as it is made. Those that exist go on. */
  refuse(refuses: boolean): void {
    this.#refuses = refuses;
  }

  /** Nothing passes in either direction, and nobody is told. Afterwards all that was held arrives. */
  blackHole(isOn: boolean): void {
    this.#rules.blackHole = isOn;
    this.#flushAll();
  }

  setLatencyMs(latencyMs: number): void {
    this.#rules.latencyMs = latencyMs;
  }

  /**
   * The next request reaches the server and is carried out there, but its client's connection ends
   * before any byte of the reply. Each call is for one request.
   */
  dropNextReply(options: DropOptions = {}): void {
    this.#traps.push({ ...options, kind: "reply" });
  }

  /** The next request does not reach the server; its client's connection ends. */
  dropNextRequest(options: DropOptions = {}): void {
    this.#traps.push({ ...options, kind: "request" });
  }

  /** How many of the drops asked for have not caught a request yet. */
  get pendingDrops(): number {
    return this.#traps.length;
  }

  async stop(): Promise<void> {
    if (!this.#server.listening) {
      return;
    }
    const closed = once(this.#server, "close");
    this.#server.close();
    this.#rules.blackHole = false;
    const sockets = [...this.#connections].flatMap(({ client, upstream }) => [client, upstream]);
    const ended = sockets.map(whenClosed);
    for (const socket of sockets) {
      socket.destroy();
    }
    await Promise.all([closed, ...ended]);
  }

  #accept(client: Socket): void {
    if (this.#refuses) {
      client.on("error", () => {}); // Whatever it is, this connection is over.
      client.resetAndDestroy();
      return;
    }
    this.#accepted += 1;
    const upstream = connect({
      port: this.#targetPort,
      host: this.#targetHost,
      allowHalfOpen: true,
      noDelay: true,
    });
    const connection: Connection = {
      client,
      upstream,
      requests: new DelayedPipe(client, upstream, this.#rules),
      replies: new DelayedPipe(upstream, client, this.#rules),
      isDoomed: false,
      closesLater: [],
    };
    this.#connections.add(connection);
    client.on("data", (chunk) => this.#onRequest(connection, chunk));
    upstream.on("data", (chunk) => this.#onReply(connection, chunk));
    client.on("end", () => connection.requests.push(null));
    upstream.on("end", () => connection.replies.push(null));
    this.#joinClosing(connection, client, upstream);
    this.#joinClosing(connection, upstream, client);
  }

  #onRequest(connection: Connection, chunk: Buffer): void {
    const index = this.#traps.findIndex(({ containing }) => chunk.includes(containing ?? ""));
    const trap = index === -1 ? undefined : this.#traps.splice(index, 1)[0];
    if (trap?.kind === "request") {
      connection.client.destroy();
      return;
    }
    connection.isDoomed ||= trap?.kind === "reply";
    connection.requests.push(chunk);
  }

  #onReply(connection: Connection, chunk: Buffer): void {
    if (!connection.isDoomed) {
      connection.replies.push(chunk);
      return;
    }
    connection.replies.discard();
    connection.client.destroy();
  }

  /** When one side is gone the other goes too, except that a black hole hides it until it lifts. */
  #joinClosing(connection: Connection, socket: Socket, other: Socket): void {
    // "close" follows and does all there is to do; the fault itself is what the test asked for.
    socket.on("error", () => {});
    socket.on("close", () => {
      if (this.#rules.blackHole && !other.destroyed) {
        connection.closesLater.push(other);
      } else {
        this.#closeOther(connection, other);
      }
      if (connection.client.closed && connection.upstream.closed) {
        connection.requests.discard();
        connection.replies.discard();
        this.#connections.delete(connection);
      }
    });
  }

  #closeOther(connection: Connection, other: Socket): void {
    if (!connection.isDoomed || other === connection.client) {
      other.destroy();
      return;
    }
    // The server may not have read the request yet, if the reply was to an earlier one. Destroying
    // the socket could take the request back, so it ends in order and is read to its end.
    connection.replies.discard();
    connection.requests.push(null);
  }

  #flushAll(): void {
    for (const connection of this.#connections) {
      connection.requests.flush();
      connection.replies.flush();
      if (!this.#rules.blackHole) {
        for (const socket of connection.closesLater.splice(0)) {
          this.#closeOther(connection, socket);
        }
      }
    }
  }
}

function whenClosed(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    if (socket.closed) {
      resolve();
    } else {
      socket.once("close", () => resolve());
    }
  });
}
