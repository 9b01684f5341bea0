import { canInstallPackages, installPackage } from "../debian-packages.ts";
import { startContainerServer } from "./container-server.ts";
import { findServerBinary, startLocalServer } from "./local-server.ts";
import { askServer } from "./probe.ts";
import { firstLine } from "./server.ts";
import type { RedisServer, ServerOptions } from "./server.ts";

export interface FoundRedis {
  url: string;
  description: string;
  /** Ends the server if it was started here; a Redis from REDIS_URL is left alone. */
  stop(): Promise<void>;
}

export interface FindRedisOptions extends Pick<ServerOptions, "args" | "hostNetwork" | "image"> {
  /** Which to try first: a server on the PATH (the default), or a container engine. */
  prefer?: "local" | "engine";
  /** Where the line that says what was taken goes; standard output by default. */
  print?: (line: string) => void;
}

type Way = () => Promise<RedisServer>;

/**
 * Finds or starts a Redis and prints one line that says which. In this order: REDIS_URL; a server
 * on the PATH; a container engine; on Debian and Ubuntu, the package redis-server. Where the options or
 * HOLDFAST_TEST_REDIS_IMAGE name an image, a container of that alone.
 */
export async function findRedis(options: FindRedisOptions = {}): Promise<FoundRedis> {
  const print = options.print ?? printToStandardOutput;
  const url = process.env["REDIS_URL"];
  if (url) {
    const found = await useGivenUrl(url);
    print(`Redis: ${found.description}`);
    return found;
  }
  const passedOver: string[] = [];
  for (const way of waysInOrder(options, print)) {
    let server: RedisServer;
    try {
      server = await way();
    } catch (error) {
      passedOver.push(firstLine(error));
      continue;
    }
    const why = passedOver.length > 0 ? ` (${passedOver.join("; ")})` : "";
    const { url: serverUrl, description } = server;
    print(`Redis: ${description}${why}`);
    return { url: serverUrl, description, stop: () => server.stop() };
  }
  throw new Error(
    "No Redis found. Any of these three will do: set REDIS_URL to a running Redis or Valkey; " +
      "install redis-server or valkey-server, so that it is on the PATH; " +
      `or start a container engine such as Docker. Tried: ${passedOver.join("; ")}.`,
  );
}

function waysInOrder(options: FindRedisOptions, print: (line: string) => void): Way[] {
  const { args = [], hostNetwork = false, image } = options;
  const server = { args, hostNetwork, image };
  const local: Way = () => startLocalServer(server);
  const engine: Way = () => startContainerServer({ ...server, announce: print });
  const install: Way = async () => {
    await installServer(print);
    return startLocalServer(server);
  };
  if (image !== undefined || process.env["HOLDFAST_TEST_REDIS_IMAGE"]) {
    return [engine]; // another server would pass for the one that was named
  }
  return options.prefer === "engine" ? [engine, local, install] : [local, engine, install];
}

async function useGivenUrl(url: string): Promise<FoundRedis> {
  // The URL may carry a password, so only its address is shown.
  const address = URL.canParse(url) ? new URL(url).host : "an address that is not a URL";
  try {
    const version = await askServer(url);
    const description = `${version} from REDIS_URL, on ${address}`;
    return { url, description, stop: async () => {} };
  } catch (error) {
    throw new Error(
      `REDIS_URL is set, but no Redis answers on ${address} (${firstLine(error)}). ` +
        "Start one there, or unset REDIS_URL to have one started.",
      { cause: error },
    );
  }
}

async function installServer(print: (line: string) => void): Promise<void> {
  if ((await findServerBinary()) !== undefined) {
    throw new Error("redis-server is installed already");
  }
  if (!(await canInstallPackages())) {
    throw new Error("this is not a Debian or Ubuntu on which packages can be installed");
  }
  print("Redis: none here, so installing the package redis-server with apt-get ...");
  await installPackage("redis-server");
}

function printToStandardOutput(line: string): void {
  process.stdout.write(`${line}\n`);
}
