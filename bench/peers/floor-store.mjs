// @ts-check
/** What the bare commands work on: the keys, and the ids and envelopes, as long as holdfast's own. */
import { randomInt } from "node:crypto";
import { Redis } from "ioredis";

/**
 * @typedef {import("./peer.ts").PeerTarget} PeerTarget
 * @typedef {{ client: Redis, delayed: string, processing: string, jobs: string }} Store
 */

/**
 * @param {PeerTarget} target
 * @returns {Promise<Store>}
 */
export async function connect({ url, queue, prefix, connectionName }) {
  const client = new Redis(url, { connectionName, lazyConnect: true });
  await client.connect();
  const tag = `${prefix}:{${queue}}`;
  return {
    client,
    delayed: `${tag}:delayed`,
    processing: `${tag}:processing`,
    jobs: `${tag}:jobs`,
  };
}

/**
 * One write to the socket, one round trip.
 *
 * @param {import("ioredis").ChainableCommander} pipeline
 * @returns {Promise<any>} the last command's reply
 * @throws the first command's error
 */
export async function lastReply(pipeline) {
  const replies = (await pipeline.exec()) ?? [];
  for (const [error] of replies) {
    if (error) throw error;
  }
  return replies.at(-1)?.[1];
}

// As long as holdfast's own, which are in src/core/model/ids.ts and envelope.ts.
const idSuffix = Array.from({ length: 11 }, () => randomInt(36).toString(36)).join("");
let ids = 0;

export function newId() {
  ids = (ids + 1) % 36 ** 4;
  return Date.now().toString(36).padStart(9, "0") + ids.toString(36).padStart(4, "0") + idSuffix;
}

/** @param {unknown} data */
export function encode(data) {
  return `1${Date.now().toString(36)}-abc\n${JSON.stringify(data)}`;
}

/** @param {string} envelope */
export function decode(envelope) {
  return JSON.parse(envelope.slice(envelope.indexOf("\n") + 1));
}
