import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";

export interface HostileServer {
  readonly url: string;
  stop(): Promise<void>;
}

/**
 * Speaks the protocol, but answers what the test wants.
 *
 * @param answer the bytes for a command; undefined for no answer at all
 */
export async function startHostileServer(
  answer: (command: readonly string[]) => string | Buffer | undefined,
): Promise<HostileServer> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    socket.on("error", () => undefined);
    let buffered: Buffer = Buffer.alloc(0);
    socket.on("data", (chunk) => {
      buffered = Buffer.concat([buffered, chunk]);
      for (let parsed = takeCommand(buffered); parsed; parsed = takeCommand(buffered)) {
        buffered = parsed.rest;
        const bytes = answer(parsed.command);
        if (bytes !== undefined) socket.write(bytes);
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

/** The first whole command: `*<words>`, then for each word `$<length>` and its bytes, each with a line end. */
function takeCommand(bytes: Buffer): { command: string[]; rest: Buffer } | undefined {
  let at = 0;
  const takeLine = () => {
    const end = bytes.indexOf("\r\n", at);
    const line = end < 0 ? undefined : bytes.toString("utf8", at, end);
    at = end + 2;
    return line;
  };
  const head = takeLine();
  if (head === undefined) {
    return undefined;
  }
  const count = Number(head.slice(1));
  const command: string[] = [];
  for (let n = 0; n < count; n += 1) {
    const length = takeLine();
    const end = at + Number(length?.slice(1));
    if (length === undefined || end + 2 > bytes.length) {
      return undefined;
    }
    command.push(bytes.toString("utf8", at, end));
    at = end + 2;
  }
  return { command, rest: bytes.subarray(at) };
}
