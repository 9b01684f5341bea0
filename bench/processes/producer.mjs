// @ts-check
/** A producer, through the calls that a library's users make. */
import { setTimeout as sleep } from "node:timers/promises";
import { cpuMicroseconds, peer, serve, settings, sharedNowMs } from "./child.mjs";

const loadSlice = 10_000;
const burst = 100;
const producer = await peer.openProducer(settings.target);
const emptyPayloadBytes = '{"fill":""}'.length;
let jobs = 0;

/** By its number a worker tells each job from all others of this process. */
function nextNumber() {
  jobs += 1;
  return jobs - 1;
}

/**
 * Payloads of a given size are those of jobs that nobody works on: they have no number.
 *
 * @param {{ payloadBytes?: number, delayMs?: number }} argument
 */
function itemOf({ payloadBytes, delayMs }) {
  const data =
    payloadBytes === undefined
      ? { n: nextNumber() }
      : { fill: "x".repeat(payloadBytes - emptyPayloadBytes) };
  return delayMs === undefined ? { data } : { data, dueAtMs: Date.now() + delayMs };
}

/**
 * Items of a given size are all the same one: nothing but the library's own work is measured.
 *
 * @param {{ payloadBytes?: number, delayMs?: number }} kind
 * @param {number} count
 */
function itemsOf(kind, count) {
  const item = kind.payloadBytes === undefined ? undefined : itemOf(kind);
  return Array.from({ length: count }, () => item ?? itemOf(kind));
}

/** @param {{ jobs: number, size?: number, payloadBytes?: number, delayMs?: number }} argument */
async function load({ jobs, size = loadSlice, ...kind }) {
  for (let left = jobs; left > 0; left -= size) {
    await producer.enqueueMany(itemsOf(kind, Math.min(left, size)));
  }
}

/** @param {{ jobs: number, payloadBytes?: number, delayMs?: number }} argument */
async function enqueueOneByOne({ jobs, ...kind }) {
  const item = itemOf(kind);
  for (let n = 0; n < jobs; n += 1) {
    await producer.enqueue(item);
  }
}

/** @param {{ jobs: number, size: number, payloadBytes?: number, delayMs?: number }} argument */
async function enqueueTogether({ jobs, size, ...kind }) {
  const item = itemOf(kind);
  for (let left = jobs; left > 0; left -= size) {
    await Promise.all(Array.from({ length: Math.min(left, size) }, () => producer.enqueue(item)));
  }
}

/**
 * Jobs due one after another at an even pace, all enqueued before the first is due.
 *
 * @param {{ jobs: number, everyMs: number, leadMs: number }} argument
 */
async function enqueueSpread({ jobs, everyMs, leadMs }) {
  const firstDueAtMs = Date.now() + leadMs;
  const items = Array.from({ length: jobs }, (_, n) => {
    const dueAtMs = Math.round(firstDueAtMs + n * everyMs);
    return { data: { n: nextNumber(), dueAtMs }, dueAtMs };
  });
  for (let from = 0; from < jobs; from += loadSlice) {
    await producer.enqueueMany(items.slice(from, from + loadSlice));
  }
  return { leftMs: firstDueAtMs - Date.now() };
}

/**
 * Single jobs with pauses between them, so that each finds an idle queue. Answers when each was called for.
 *
 * @param {{ jobs: number, minGapMs: number, maxGapMs: number }} argument
 */
async function enqueuePaced({ jobs, minGapMs, maxGapMs }) {
  /** @type {[n: number | undefined, atMs: number][]} */
  const calledAtMs = [];
  for (let n = 0; n < jobs; n += 1) {
    await sleep(minGapMs + Math.random() * (maxGapMs - minGapMs));
    const item = itemOf({});
    calledAtMs.push([item.data.n, sharedNowMs()]);
    await producer.enqueue(item);
  }
  return calledAtMs;
}

const production = { isOn: false, enqueued: 0, acknowledged: 0, onCredit: () => {} };

/**
 * Enqueues until it is stopped, but is never more than so many jobs ahead of the workers. Answers how many.
 *
 * @param {{ ahead: number }} argument
 */
async function produce({ ahead }) {
  production.isOn = true;
  while (production.isOn) {
    if (production.enqueued - production.acknowledged >= ahead) {
      await new Promise((resolve) => {
        production.onCredit = () => resolve(undefined);
      });
      continue;
    }
    production.enqueued += burst;
    await Promise.all(Array.from({ length: burst }, () => producer.enqueue(itemOf({}))));
  }
  return production.enqueued;
}

/**
 * How long something took, and how much processor time of this process.
 *
 * @param {() => Promise<unknown>} work
 */
async function measure(work) {
  const cpuBefore = cpuMicroseconds();
  const startedAt = performance.now();
  await work();
  const elapsedMs = performance.now() - startedAt;
  return { elapsedMs, cpuMicroseconds: cpuMicroseconds() - cpuBefore };
}

serve({
  start: () => {},
  load,
  enqueueOneByOne: (argument) => measure(() => enqueueOneByOne(argument)),
  enqueueTogether: (argument) => measure(() => enqueueTogether(argument)),
  enqueueMany: (argument) => measure(() => load(argument)),
  enqueueSpread,
  enqueuePaced,
  produce,
  /** The workers have acknowledged so many jobs. Answers what this process has used so far. */
  credit: ({ acknowledged }) => {
    production.acknowledged = acknowledged;
    production.onCredit();
    return { cpuMicroseconds: cpuMicroseconds() };
  },
  stopProducing: () => {
    production.isOn = false;
    production.onCredit();
  },
});
