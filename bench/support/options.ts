import { parseArgs } from "node:util";

const defaultRepeats = 5;
const quickRepeats = 2;
const maxRepeats = 100;
const knownPeers = ["holdfast", "bullmq", "bee-queue", "floor"] as const;

export type PeerName = (typeof knownPeers)[number];

export interface BenchOptions {
  /** Empty for all. */
  readonly scenarios: readonly string[];
  readonly peers: readonly PeerName[];
  readonly isQuick: boolean;
  readonly repeats: number;
  /** The container's image; undefined for the default. */
  readonly image: string | undefined;
  readonly resultFile: string | undefined;
  readonly listsOnly: boolean;
}

/** @throws Error that says what is wrong with the command line */
export function readOptions(args: readonly string[]): BenchOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      scenario: { type: "string", multiple: true, default: [] },
      peer: { type: "string", multiple: true, default: [...knownPeers] },
      quick: { type: "boolean", default: false },
      image: { type: "string" },
      json: { type: "string" },
      repeats: { type: "string" },
      list: { type: "boolean", default: false },
    },
  });
  const repeats = Number(values.repeats ?? (values.quick ? quickRepeats : defaultRepeats));
  if (!Number.isInteger(repeats) || repeats < 1 || repeats > maxRepeats) {
    throw new Error(`--repeats must be a whole number from 1 to ${maxRepeats}`);
  }
  return {
    scenarios: values.scenario,
    peers: values.peer.map(knownPeer),
    isQuick: values.quick,
    repeats,
    image: values.image,
    resultFile: values.json,
    listsOnly: values.list,
  };
}

function knownPeer(name: string): PeerName {
  const peer = knownPeers.find((known) => known === name);
  if (peer === undefined) {
    throw new Error(`--peer must be one of ${knownPeers.join(", ")}, not ${name}`);
  }
  return peer;
}
