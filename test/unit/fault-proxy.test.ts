import { once } from "node:events";
import { connect, createServer } from "node:net";
import type { AddressInfo, Server, Socket } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { startFaultProxy } from "../helpers/fault-proxy.ts";
import type { FaultProxy } from "../helpers/fault-proxy.ts";
import { failOnLeaks } from "../helpers/leak-check.ts";

let server: Server;
let received: string;
let serverSockets: Set<Socket>;
let proxy: FaultProxy;
let clients: Client[];

/** A connection that collects what it is sent. */
class Client {
  readonly socket: Socket;
  text = "";

  constructor(port: number) {
    this.socket = connect({ port, host: "127.0.0.1" });
    this.socket.setEncoding("utf8");
    this.socket.on("error", () => {}); // "close" follows, which the tests wait for.
    this.socket.on("data", (chunk: string) => {
      this.text += chunk;
      this.socket.emit("text");
    });
  }

  send(text: string): void {
    this.socket.write(text);
  }

  async has(text: string): Promise<void> {
    while (!this.text.includes(text)) {
      await once(this.socket, "text");
    }
  }

  async closed(): Promise<void> {
    if (!this.socket.closed) {
      await new Promise((resolve) => this.socket.once("close", resolve));
    }
  }
}

function open(): Client {
  const client = new Client(proxy.port);
  clients.push(client);
  return client;
}

async function serverHas(text: string): Promise<void> {
  while (!received.includes(text)) {
    await once(server, "received");
  }
}

failOnLeaks();

beforeEach(async () => {
  received = "";
  clients = [];
  serverSockets = new Set();
  server = createServer((socket) => {
    serverSockets.add(socket);
    socket.on("error", () => {}); // A reset is what some tests are about.
    socket.on("close", () => serverSockets.delete(socket));
    socket.on("data", (chunk) => {
      received += chunk.toString();
      server.emit("received");
      socket.write(chunk);
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  proxy = await startFaultProxy({ targetPort: (server.address() as AddressInfo).port });
});

afterEach(async () => {
  for (const client of clients) {
    client.socket.destroy();
  }
  await proxy.stop();
  await proxy.stop();
  for (const socket of serverSockets) {
    socket.destroy();
  }
  server.close();
  await once(server, "close");
});

describe("the fault proxy", () => {
  it("passes everything on when nothing is wrong, and counts connections", async () => {
    const [first, second] = [open(), open()];
    first.send("one");
    second.send("two");
    await Promise.all([first.has("one"), second.has("two")]);
    expect(proxy.connectionCount).toBe(2);
    expect(proxy.url).toBe(`redis://127.0.0.1:${proxy.port}`);

    first.socket.end();
    await first.closed();
    expect(proxy.connectionCount).toBe(1);
  });

  it("passes on more than the buffers hold, in order", async () => {
    const client = open();
    const large = "0123456789".repeat(300_000);
    client.send(`${large}end`);
    await client.has("end");
    expect(client.text === `${large}end`).toBe(true);
  });

  it("cuts every connection and accepts the next", async () => {
    const client = open();
    client.send("before");
    await client.has("before");
    proxy.cut();
    await client.closed();
    const next = open();
    next.send("after");
    await next.has("after");
  });

  it("refuses new connections only", async () => {
    const old = open();
    old.send("a");
    await old.has("a");
    proxy.refuse(true);
    const refused = open();
    await refused.closed();
    old.send("b");
    await old.has("b");
    proxy.refuse(false);
    const accepted = open();
    accepted.send("c");
    await accepted.has("c");
  });

  it("closes the client when the server cannot be reached", async () => {
    const lonely = await startFaultProxy({ targetPort: 1 });
    const client = new Client(lonely.port);
    await client.closed();
    await lonely.stop();
  });
});

describe("in a black hole", () => {
  it("nothing passes and nobody is told; afterwards what was held arrives", async () => {
    const client = open();
    client.send("before.");
    await client.has("before.");
    proxy.blackHole(true);
    client.send("during.");
    const witness = new Client((server.address() as AddressInfo).port);
    clients.push(witness);
    witness.send("witness.");
    await witness.has("witness.");
    expect(received).toBe("before.witness.");
    expect(client.socket.closed).toBe(false);

    proxy.blackHole(false);
    await client.has("during.");
    expect(client.text).toBe("before.during.");
  });

  it("hides that the client went away until it lifts", async () => {
    const client = open();
    client.send("x");
    await client.has("x");
    proxy.blackHole(true);
    client.socket.resetAndDestroy();
    await client.closed();
    expect(serverSockets.size).toBe(1);
    const [serverSocket] = serverSockets;
    proxy.blackHole(false);
    await new Promise((resolve) => serverSocket?.once("close", resolve));
    expect(serverSockets.size).toBe(0);
  });

  it("can be stopped and cut", async () => {
    const client = open();
    client.send("x");
    await client.has("x");
    proxy.blackHole(true);
    client.send("held");
    proxy.cut();
    await client.closed();
    await proxy.stop();
    expect(received).toBe("x");
  });
});

describe("dropping", () => {
  it("drops the reply after the server has the request", async () => {
    const client = open();
    client.send("first.");
    await client.has("first.");
    proxy.dropNextReply();
    client.send("second.");
    await client.closed();
    expect(client.text).toBe("first.");
    await serverHas("second.");
    const next = open();
    next.send("third.");
    await next.has("third.");
  });

  it("lets the server have the request even if an earlier reply triggers the drop", async () => {
    proxy.setLatencyMs(20);
    const client = open();
    client.send("early.");
    await serverHas("early.");
    proxy.dropNextReply({ containing: "late" });
    client.send("late.");
    await client.closed();
    await serverHas("late.");
    expect(client.text).not.toContain("late");
  });

  it("drops the request before the server has it", async () => {
    const client = open();
    client.send("first.");
    await client.has("first.");
    proxy.dropNextRequest();
    client.send("second.");
    await client.closed();
    expect(received).toBe("first.");
    const next = open();
    next.send("third.");
    await next.has("third.");
  });

  it("waits for the request that was meant, once per call", async () => {
    proxy.dropNextRequest({ containing: "bad" });
    proxy.dropNextReply({ containing: "bad" });
    const [first, second] = [open(), open()];
    first.send("good");
    await first.has("good");
    expect(proxy.pendingDrops).toBe(2);
    first.send("bad");
    await first.closed();
    second.send("bad");
    await second.closed();
    expect(proxy.pendingDrops).toBe(0);
    expect(received).toBe("goodbad");
  });
});

describe("latency", () => {
  it("delays each direction and keeps the order", async () => {
    const client = open();
    client.send("a");
    await client.has("a");
    proxy.setLatencyMs(30);
    const started = performance.now();
    client.send("b");
    client.send("c");
    await client.has("c");
    expect(performance.now() - started).toBeGreaterThanOrEqual(58);
    expect(client.text).toBe("abc");
  });

  it("holds back nothing that keeps the proxy from stopping", async () => {
    proxy.setLatencyMs(60_000);
    const client = open();
    client.send("never");
    await once(client.socket, "connect");
    await proxy.stop();
    await client.closed();
    expect(received).toBe("");
  });
});
