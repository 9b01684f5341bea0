import { execFile, spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { access, constants } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, delimiter, join } from "node:path";
import { promisify } from "node:util";
import { findFreePort } from "./free-port.ts";
import { launch, PortTakenError } from "./launch.ts";
import { askServer, serveAllSlots } from "./probe.ts";
import { atProcessEnd } from "./process-end.ts";
import {
  endsTheProcess,
  isLoneCluster,
  portAttempts,
  serverArguments,
  shellOutputBytes,
  startTimeoutMs,
} from "./server.ts";
import type { RedisServer, ServerOptions, ServerSignal } from "./server.ts";

const host = "127.0.0.1";
const binaryNames = ["redis-server", "valkey-server"];

export interface LocalServerOptions extends ServerOptions {
  /** Any free port, when left out. */
  port?: number;
  /** Added to the server's environment. */
  env?: Readonly<Record<string, string>>;
}

/** The server binary on the PATH, or undefined. */
export async function findServerBinary(): Promise<string | undefined> {
  const folders = (process.env["PATH"] ?? "").split(delimiter).filter((folder) => folder !== "");
  for (const name of binaryNames) {
    for (const folder of folders) {
      const path = join(folder, name);
      if (await isExecutable(path)) {
        return path;
      }
    }
  }
  return undefined;
}

/** Starts the server found on the PATH, on loopback, with a temporary folder of its own. */
export async function startLocalServer(options: LocalServerOptions = {}): Promise<RedisServer> {
  const binary = await findServerBinary();
  if (binary === undefined) {
    throw new Error(`no ${binaryNames.join(" or ")} on the PATH`);
  }
  for (let attempt = 1; ; attempt += 1) {
    const port = options.port ?? (await findFreePort());
    const server = new LocalServer(binary, port, options);
    try {
      await server.start();
      return server;
    } catch (error) {
      await server.stop();
      const mayRetry = error instanceof PortTakenError && options.port === undefined;
      if (!mayRetry || attempt === portAttempts) {
        throw error;
      }
    }
  }
}

class LocalServer implements RedisServer {
  readonly url: string;
  readonly host = host;
  readonly port: number;
  readonly #binary: string;
  readonly #options: LocalServerOptions;
  readonly #folder: string;
  readonly #withdrawCleanUp: () => void;
  #child: ChildProcess | undefined;
  #version = "";

  constructor(binary: string, port: number, options: LocalServerOptions) {
    this.url = `redis://${host}:${port}`;
    this.port = port;
    this.#binary = binary;
    this.#options = options;
    this.#folder = mkdtempSync(join(tmpdir(), "holdfast-redis-"));
    if (options.config !== undefined) {
      writeFileSync(this.#configPath, options.config);
    }
    this.#withdrawCleanUp = atProcessEnd(() => {
      this.#child?.kill("SIGKILL");
      this.#removeFolder();
    });
  }

  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  get description(): string {
    const version = this.#version.split(" ")[1] ?? "";
    return `${basename(this.#binary)} ${version} from the PATH, on ${host}:${this.port}`;
  }

  async start(): Promise<void> {
    // In a process group of its own: Ctrl-C in a terminal reaches us alone, and whoever wants to
    // finish its work first still has its Redis.
    const child = spawn(this.#binary, this.#commandLine(), {
      detached: true,
      env: { ...process.env, ...this.#options.env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#child = child;
    await launch(child, startTimeoutMs);
    if (isLoneCluster(this.#options)) {
      await serveAllSlots(this.url, startTimeoutMs);
    }
    this.#version = await askServer(this.url);
  }

  async restart(): Promise<void> {
    await this.kill("SIGTERM");
    await this.start();
  }

  async kill(signal: ServerSignal = "SIGKILL"): Promise<void> {
    const child = this.#child;
    if (child === undefined || hasEnded(child)) {
      return;
    }
    child.ref();
    const exited = endsTheProcess(signal) ? once(child, "exit") : undefined;
    child.kill(signal);
    await exited;
  }

  async shell(command: string): Promise<string> {
    const options = { cwd: this.#folder, maxBuffer: shellOutputBytes };
    return (await promisify(execFile)("sh", ["-c", command], options)).stdout;
  }

  async stop(): Promise<void> {
    await this.kill("SIGKILL");
    this.#withdrawCleanUp();
    this.#removeFolder();
  }

  #commandLine(): string[] {
    const { args = [], config } = this.#options;
    const file = config === undefined ? [] : [this.#configPath];
    const place = ["--bind", host, "--dir", this.#folder];
    return [...file, ...place, ...serverArguments(this.port, host, args)];
  }

  get #configPath(): string {
    return join(this.#folder, "redis.conf");
  }

  #removeFolder(): void {
    // A server killed this moment may still be creating a file.
    rmSync(this.#folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 20 });
  }
}

function hasEnded(child: ChildProcess): boolean {
  return child.pid === undefined || child.exitCode !== null || child.signalCode !== null;
}

async function isExecutable(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return true;
  } catch {
    return false; // The error is the answer.
  }
}
