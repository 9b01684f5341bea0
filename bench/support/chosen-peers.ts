import { BenchQueue } from "./bench-queue.ts";
import type { BenchServer } from "./bench-server.ts";
import type { PeerName } from "./options.ts";
import { ensurePeers } from "./peers.ts";
import type { BenchPeer } from "./scenario.ts";

/** The peers of the names, installed where they are not. */
export async function choosePeers(
  names: readonly PeerName[],
  print: (line: string) => void,
): Promise<readonly BenchPeer[]> {
  if (names.some((name) => name === "bullmq" || name === "bee-queue")) {
    await ensurePeers(print);
  }
  return names.map((name) => ({ name, module: name }));
}

/** @throws Error if one of them does not do what the figures take for granted */
export async function checkPeers(peers: readonly BenchPeer[], server: BenchServer): Promise<void> {
  for (const peer of peers) {
    const queue = new BenchQueue(peer, server);
    try {
      const checker = await queue.startChecker();
      const faults = await checker.ask<string[]>("faults");
      if (faults.length > 0) {
        throw new Error(faults.join("; "));
      }
    } catch (error) {
      const { message } = error as Error;
      throw new Error(`The peer ${peer.name} failed its check: ${message}`, { cause: error });
    } finally {
      await queue.remove();
    }
  }
}
