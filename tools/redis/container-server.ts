import { spawnSync } from "node:child_process";
import type { ContainerRuntimeClient, StartedTestContainer } from "testcontainers";
import { readyLine } from "./launch.ts";
import { canListenOn, findFreePort } from "./free-port.ts";
import { askServer, serveAllSlots, waitUntilAnswers } from "./probe.ts";
import { atProcessEnd } from "./process-end.ts";
import {
  endsTheProcess,
  isLoneCluster,
  portAttempts,
  serverArguments,
  startTimeoutMs,
} from "./server.ts";
import type { RedisServer, ServerOptions, ServerSignal } from "./server.ts";

const defaultImage = "redis:8";
/** An engine that is there answers in milliseconds. */
const engineTimeoutMs = 10_000;
/** Long enough for a slow line, short enough that a missing one does not look like a hang. */
const pullTimeoutMs = 180_000;
const endTimeoutMs = 15_000;
const dataFolder = "/data";
const configPath = `${dataFolder}/redis.conf`;
/** The last: on the host's own network it is the server itself that finds its port taken, and ends. */
const portTaken = /port is already allocated|address already in use|log stream ended/i;

export interface ContainerServerOptions extends ServerOptions {
  announce?: (line: string) => void;
}

function testImage(): string {
  return process.env["HOLDFAST_TEST_REDIS_IMAGE"] || defaultImage;
}

/** Starts a Redis in a container, with its port published on this machine's loopback. */
export async function startContainerServer(
  options: ContainerServerOptions = {},
): Promise<RedisServer> {
  const image = options.image ?? testImage();
  const client = await openEngine();
  const serverName = await provideImage(client, image, options.announce);
  for (let attempt = 1; ; attempt += 1) {
    const setup = { image, serverName, port: await findFreePort(), options };
    try {
      return await startOnPort(client, setup);
    } catch (error) {
      if (!portTaken.test(String(error)) || attempt === portAttempts) {
        throw error;
      }
    }
  }
}

interface Setup {
  image: string;
  serverName: string;
  port: number;
  options: ServerOptions;
}

type EngineContainer = ReturnType<ContainerRuntimeClient["container"]["getById"]>;

async function openEngine(): Promise<ContainerRuntimeClient> {
  // Loaded only here: it is large, and whoever has a Redis needs none of it.
  const { getContainerRuntimeClient } = await import("testcontainers");
  try {
    return await within(engineTimeoutMs, getContainerRuntimeClient());
  } catch (error) {
    throw new Error("no container engine answers", { cause: error });
  }
}

/** Makes sure that the image is here, and says which server it runs. */
async function provideImage(
  client: ContainerRuntimeClient,
  image: string,
  announce?: (line: string) => void,
): Promise<string> {
  const { ImageName } = await import("testcontainers");
  const name = ImageName.fromString(image);
  let failure: unknown;
  if (!(await client.image.exists(name))) {
    announce?.(`Redis: pulling the image ${image}, which is not here yet ...`);
    try {
      await within(pullTimeoutMs, client.image.pull(name));
    } catch (error) {
      failure = error;
    }
  }
  // A pull that broke off is not always reported as an error, so look again.
  if (!(await client.image.exists(name))) {
    throw new Error(`the image ${image} is neither here nor can it be pulled`, { cause: failure });
  }
  const { Config } = await client.image.inspect(name);
  return Config.Cmd?.[0] ?? "redis-server";
}

async function startOnPort(client: ContainerRuntimeClient, setup: Setup): Promise<RedisServer> {
  const { GenericContainer, Wait } = await import("testcontainers");
  const engineHost = await reachableHost(client);
  const { port } = setup;
  const { args = [], config, hasPeers = false } = setup.options;
  const isOnHostNetwork = hasPeers || setup.options.hostNetwork === true;
  let containerId: string | undefined;
  let withdrawCleanUp = () => {};

  class RedisContainer extends GenericContainer {
    protected override async beforeContainerCreated(): Promise<void> {
      if (isOnHostNetwork) {
        return;
      }
      const hostIp = engineHost === "127.0.0.1" ? { HostIp: engineHost } : {};
      this.hostConfig.PortBindings = { [`${port}/tcp`]: [{ ...hostIp, HostPort: String(port) }] };
    }

    protected override async containerCreated(id: string): Promise<void> {
      containerId = id;
      withdrawCleanUp = atProcessEnd(() => removeSynchronously(id));
    }
  }

  // Inside and outside it is the same port, which a cluster announces to its clients and which
  // stays the same over a restart. Protected mode would refuse what comes through a published port.
  const file = config === undefined ? [] : [configPath];
  const place = ["--protected-mode", "no", ...(isOnHostNetwork ? ["--bind", engineHost] : [])];
  const options = [...file, ...place, ...serverArguments(port, engineHost, args)];
  const container = new RedisContainer(setup.image)
    .withCommand([setup.serverName, ...options])
    .withCopyContentToContainer(
      config === undefined ? [] : [{ content: config, target: configPath, mode: 0o666 }],
    )
    .withWaitStrategy(Wait.forLogMessage(readyLine))
    .withStartupTimeout(startTimeoutMs)
    // No helper container (Ryuk) to clean up: it needs an image of its own, which a machine without
    // a registry lacks, and `stop` and the hook at the end of the process do the same.
    .withAutoCleanup(false);
  if (isOnHostNetwork) {
    // Peers reach each other at the address that they give to clients: this machine's own.
    container.withNetworkMode("host");
  } else {
    container.withExposedPorts({ container: port, host: port });
  }
  try {
    const server = new ContainerServer(client, await container.start(), {
      setup,
      host: engineHost,
      withdrawCleanUp,
    });
    await server.prepare();
    return server;
  } catch (error) {
    if (containerId !== undefined) {
      await remove(client.container.getById(containerId));
    }
    withdrawCleanUp();
    throw error;
  }
}

class ContainerServer implements RedisServer {
  readonly url: string;
  readonly host: string;
  readonly port: number;
  readonly #setup: Setup;
  readonly #client: ContainerRuntimeClient;
  readonly #container: EngineContainer;
  readonly #withdrawCleanUp: () => void;
  #pid = 0;
  #version = "";

  constructor(
    client: ContainerRuntimeClient,
    started: StartedTestContainer,
    place: { setup: Setup; host: string; withdrawCleanUp: () => void },
  ) {
    this.#setup = place.setup;
    this.#client = client;
    this.#container = client.container.getById(started.getId());
    this.#withdrawCleanUp = place.withdrawCleanUp;
    this.host = place.host;
    this.port = place.setup.port;
    this.url = `redis://${this.host}:${this.port}`;
  }

  get pid(): number {
    return this.#pid;
  }

  get description(): string {
    return `${this.#version} from the image ${this.#setup.image}, on ${this.host}:${this.port}`;
  }

  async prepare(): Promise<void> {
    if (isLoneCluster(this.#setup.options)) {
      await serveAllSlots(this.url, startTimeoutMs);
    }
    this.#version = await askServer(this.url);
    const { State } = await this.#container.inspect();
    this.#pid = State.Pid;
  }

  async restart(): Promise<void> {
    await this.kill("SIGTERM");
    await this.#container.start();
    await waitUntilAnswers(this.url, startTimeoutMs);
    await this.prepare();
  }

  async kill(signal: ServerSignal = "SIGKILL"): Promise<void> {
    const { State } = await this.#container.inspect();
    if (!State.Running) {
      return;
    }
    await this.#container.kill({ signal });
    if (endsTheProcess(signal)) {
      await this.#container.wait();
    }
  }

  async shell(command: string): Promise<string> {
    const options = { workingDir: dataFolder };
    const words = ["sh", "-c", command];
    const { output, exitCode } = await this.#client.container.exec(this.#container, words, options);
    if (exitCode !== 0) {
      throw new Error(`${command}: ${output}`);
    }
    return output;
  }

  async stop(): Promise<void> {
    await remove(this.#container);
    this.#withdrawCleanUp();
  }
}

/**
 * Where a published port is reached: on loopback, unless the engine runs on another machine. Listening
 * on its address tells: only an address of this machine can be listened on.
 */
async function reachableHost(client: ContainerRuntimeClient): Promise<string> {
  const engineHost = client.info.containerRuntime.host;
  const isHere = engineHost === "localhost" || (await canListenOn(engineHost));
  return isHere ? "127.0.0.1" : engineHost;
}

async function remove(container: EngineContainer): Promise<void> {
  try {
    await container.remove({ force: true, v: true });
  } catch (error) {
    if ((error as { statusCode?: number }).statusCode !== 404) {
      throw error; // 404: it is gone already.
    }
  }
}

function removeSynchronously(containerId: string): void {
  const script = `require("testcontainers").getContainerRuntimeClient()
    .then((client) => client.container.getById(process.argv[1]).remove({ force: true, v: true }))`;
  spawnSync(process.execPath, ["--eval", script, containerId], {
    cwd: import.meta.dirname,
    stdio: ["ignore", "ignore", "inherit"],
    timeout: endTimeoutMs,
  });
}

async function within<Result>(timeoutMs: number, work: Promise<Result>): Promise<Result> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer after ${timeoutMs} ms`)), timeoutMs);
  });
  try {
    return await Promise.race([work, timeout]);
  } finally {
    clearTimeout(timer);
  }
}
