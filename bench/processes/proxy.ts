/** A network between client and server: the tests' own delayed pipe, which holds each reply back. */
import { once } from "node:events";
import { connect, createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { DelayedPipe } from "../../test/helpers/delayed-pipe.ts";

const { host, port, latencyMs } = JSON.parse(process.argv[2] ?? "{}") as {
  host: string;
  port: number;
  latencyMs: number;
};

const server = createServer({ noDelay: true }, (client) => {
  const upstream = connect({ host, port, noDelay: true });
  const requests = new DelayedPipe(client, upstream, { latencyMs: 0, blackHole: false });
  const replies = new DelayedPipe(upstream, client, { latencyMs, blackHole: false });
  client.on("data", (chunk) => requests.push(chunk)).on("end", () => requests.push(null));
  upstream.on("data", (chunk) => replies.push(chunk)).on("end", () => replies.push(null));
  // A killed process resets its connections: the other half goes with it.
  client.on("error", () => upstream.destroy());
  upstream.on("error", () => client.destroy());
});

process.on("disconnect", () => process.exit());
server.listen(0, "127.0.0.1");
await once(server, "listening");
process.on("message", ({ number }: { number: number }) => {
  process.send?.({ request: number, value: (server.address() as AddressInfo).port });
});
