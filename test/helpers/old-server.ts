import { once } from "node:events";
import { createServer, type AddressInfo, type Socket } from "node:net";

export interface OldServer {
  readonly url: string;
  stop(): Promise<void>;
}

/**
 * Speaks just enough of the protocol to say which version it is: an older server cannot be had
 * everywhere. Of each request only the first two words are read.
 *
 * @param info the lines of its INFO
 */
export async function startOldServer(info: readonly string[]): Promise<OldServer> {
  const sockets = new Set<Socket>();
  const text = info.join("\r\n");
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    socket.on("error", () => undefined);
    socket.on("data", (chunk) => {
      // A request begins with `*<words>`; each word is `$<length>` and a line of its own.
      for (const request of chunk
        .toString()
        .split(/^\*\d+\r\n/m)
        .slice(1)) {
        const name = request.split("\r\n")[1]?.toUpperCase();
        socket.write(
          name === "INFO"
            ? `$${Buffer.byteLength(text)}\r\n${text}\r\n`
            : `-ERR unknown command '${name}'\r\n`,
        );
      }
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `redis://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async stop() {
      const closed = once(server, "close");
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}
