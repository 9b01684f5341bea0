import { randomInt } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:net";

/**
 * Below every system's range of ephemeral ports, so that no outgoing connection takes the port while
 * a server is down between `kill` and `restart`; and a cluster's bus, 10,000 above, stays below too.
 */
const lowestPort = 16_000;
const highestPort = 22_000;
const attempts = 50;

/** Free when it answered; whoever uses it must still be ready to lose a race for it. */
export async function findFreePort(): Promise<number> {
  for (let attempt = 0; attempt < attempts; attempt += 1) {
    const port = randomInt(lowestPort, highestPort);
    if (await isFree(port)) {
      return port;
    }
  }
  throw new Error(`No free port among ${attempts} between ${lowestPort} and ${highestPort}.`);
}

function isFree(port: number): Promise<boolean> {
  return canListen(port, "127.0.0.1");
}

/** Whether the address is one of this machine's, also of an interface that is down. */
export function canListenOn(host: string): Promise<boolean> {
  return canListen(0, host);
}

async function canListen(port: number, host: string): Promise<boolean> {
  const server = createServer();
  try {
    server.listen(port, host);
    await once(server, "listening");
  } catch (error) {
    if (isAddressError(error)) {
      return false;
    }
    throw error;
  }
  server.close();
  await once(server, "close");
  return true;
}

function isAddressError(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return ["EADDRINUSE", "EADDRNOTAVAIL", "EACCES", "ENOTFOUND"].includes(code ?? "");
}
