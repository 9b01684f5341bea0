/** Proves a peer in a process of its own, which loads the same build as its producers and workers will. */
import { faultsOfPeer } from "../peers/check.ts";
import type { Peer, PeerTarget } from "../peers/peer.ts";

interface Child {
  readonly peer: Peer;
  readonly settings: { readonly target: PeerTarget };
  serve(answers: Readonly<Record<string, () => unknown>>): void;
}

/** Plain JavaScript, as what users run. */
const program = new URL("child.mjs", import.meta.url).href;
const { peer, settings, serve } = (await import(program)) as Child;

serve({ start: () => undefined, faults: () => faultsOfPeer(peer, settings.target) });
