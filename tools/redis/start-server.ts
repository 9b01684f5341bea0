import { startContainerServer } from "./container-server.ts";
import { findServerBinary, startLocalServer } from "./local-server.ts";
import type { RedisServer, ServerOptions } from "./server.ts";

export type { RedisServer, ServerOptions } from "./server.ts";

/**
 * A server of one's own, for tests that kill it, fill it, flush it or configure it. A local process
 * where there is a binary, since it starts fastest; a container where there is none, or where
 * HOLDFAST_TEST_REDIS_IMAGE names the server to test against.
 */
export async function startServer(options: ServerOptions = {}): Promise<RedisServer> {
  const imageIsNamed = Boolean(process.env["HOLDFAST_TEST_REDIS_IMAGE"]);
  if (!imageIsNamed && (await findServerBinary()) !== undefined) {
    return startLocalServer(options);
  }
  return startContainerServer(options);
}
