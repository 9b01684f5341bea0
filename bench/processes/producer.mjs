// @ts-check
/** A producer, through the calls that users make. */
import { setTimeout as sleep } from "node:timers/promises";
import { Queue } from "../../dist/index.js";
import { measure, queueOptions, serve, settings, sharedNowMs } from "./child.mjs";

const loadSlice = 10_000;
const tickMs = 5;
const queue = new Queue(settings.queue, queueOptions);

/** @param {number | undefined} bytes of the encoded payload */
function payload(bytes) {
  return bytes === undefined ? { n: 1 } : { fill: "x".repeat(bytes - '{"fill":""}'.length) };
}

/** @param {{ jobs: number, payloadBytes?: number, delayMs?: number }} argument */
async function load({ jobs, payloadBytes, delayMs = 0 }) {
  const item = { data: payload(payloadBytes), delayMs };
  for (let left = jobs; left > 0; left -= loadSlice) {
    await queue.enqueueMany(Array.from({ length: Math.min(left, loadSlice) }, () => item));
  }
}

/** @param {{ jobs: number, delayMs?: number }} argument */
async function enqueueOneByOne({ jobs, delayMs = 0 }) {
  for (let n = 0; n < jobs; n += 1) {
    await queue.enqueue({ n }, { delayMs });
  }
}

/** @param {{ jobs: number, size: number, delayMs?: number }} argument */
async function enqueueTogether({ jobs, size, delayMs = 0 }) {
  for (let left = jobs; left > 0; left -= size) {
    await Promise.all(
      Array.from({ length: Math.min(left, size) }, (_, n) => queue.enqueue({ n }, { delayMs })),
    );
  }
}

/**
 * Jobs due one after another at an even pace: all enqueued at once, or each one `aheadMs` before it
 * is due.
 *
 * @param {{ jobs: number, everyMs: number, leadMs: number, aheadMs?: number }} argument
 */
async function enqueueSpread({ jobs, everyMs, leadMs, aheadMs = Number.POSITIVE_INFINITY }) {
  const firstDueAt = Date.now() + leadMs;
  const sent = [];
  for (let n = 0; n < jobs;) {
    for (; n < jobs && firstDueAt + n * everyMs - aheadMs <= Date.now(); n += 1) {
      sent.push(queue.enqueue({ n }, { runAt: Math.round(firstDueAt + n * everyMs) }));
    }
    await sleep(tickMs);
  }
  await Promise.all(sent);
  return { leftMs: firstDueAt + (jobs - 1) * everyMs - Date.now() };
}

serve({
  start: () => queue.stats(),
  load,
  enqueueOneByOne: (argument) => measure(() => enqueueOneByOne(argument)),
  enqueueTogether: (argument) => measure(() => enqueueTogether(argument)),
  enqueueMany: (argument) => measure(() => load(argument)),
  enqueueSpread,
  enqueueOne: async () => {
    const calledAtMs = sharedNowMs();
    await queue.enqueue({ n: 1 });
    return calledAtMs;
  },
});
