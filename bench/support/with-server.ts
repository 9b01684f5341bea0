import { findRedis } from "../../tools/redis/find-redis.ts";
import { BenchServer } from "./bench-server.ts";
import { checkPeers } from "./chosen-peers.ts";
import { machineFacts } from "./machine.ts";
import type { MachineFacts } from "./result.ts";
import type { BenchPeer } from "./scenario.ts";

export interface Setup {
  readonly peers: readonly BenchPeer[];
  /** The container's image; undefined for the default. */
  readonly image: string | undefined;
  print(line: string): void;
}

/**
 * Starts a Redis without persistence in a container, or where there is no engine the one that is found, and
 * ends it afterwards. Every peer has shown by then that it does what the figures take for granted.
 */
export async function withServer<Result>(
  { peers, image, print }: Setup,
  use: (server: BenchServer, machine: MachineFacts & { commit: string }) => Promise<Result>,
): Promise<Result> {
  const args = ["--save", "", "--appendonly", "no", "--lazyfree-lazy-user-del", "no"];
  const redis = await findRedis({ print, prefer: "engine", image, hostNetwork: true, args });
  const server = new BenchServer(redis.url);
  try {
    await checkPeers(peers, server);
    const machine = await machineFacts(server, redis.description);
    const facts = Object.entries(machine).map((fact) => fact.join(" "));
    print(`Machine: ${facts.join(", ")}`);
    return await use(server, machine);
  } finally {
    server.close();
    await redis.stop();
  }
}
