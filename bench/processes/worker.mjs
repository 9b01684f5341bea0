// @ts-check
/** A worker whose handlers do next to nothing, so that the library is what is measured. */
import { Queue, Worker } from "../../dist/index.js";
import {
  fractionalWallClock,
  measure,
  queueOptions,
  serve,
  settings,
  sharedNowMs,
} from "./child.mjs";

const maxNotes = 1_000_000;
const queue = new Queue(settings.queue, queueOptions);
const wallClockNowMs = fractionalWallClock();
const isNoting = settings.handler.startsWith("note");
const notes = new Float64Array(isNoting ? maxNotes : 0);
let started = 0;
let target = Number.POSITIVE_INFINITY;
let onTarget = () => {};

function countStart() {
  started += 1;
  if (started === target) onTarget();
}

/** @type {Record<string, (job: import("../../dist/index.js").Job<unknown>) => unknown>} */
const handlers = {
  "no-op": async () => {
    countStart();
  },
  "note-start": async () => {
    notes[started] = sharedNowMs();
    countStart();
  },
  "note-lateness": async (job) => {
    notes[started] = wallClockNowMs() - job.dueAt.getTime();
    countStart();
  },
  hold: () => {
    countStart();
    return new Promise(() => {});
  },
};

const worker = new Worker(queue, handlers[settings.handler], settings.options);

/** @param {number} total */
async function untilStarted(total) {
  if (started < total) {
    await new Promise((resolve) => {
      target = total;
      onTarget = () => resolve(undefined);
    });
  }
}

/** @param {number} total */
async function untilAcknowledged(total) {
  await untilStarted(total);
  for (;;) {
    const { running, unsettled } = worker.health();
    if (running === 0 && unsettled === 0) {
      return;
    }
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
  }
}

serve({
  start: () => worker.start(),
  startedJobs: () => started,
  untilStarted: ({ total }) => untilStarted(total),
  /** What the handlers noted, from the given start on. */
  untilAcknowledged: async ({ total, notesFrom = total }) => {
    await untilAcknowledged(total);
    return [...notes.subarray(notesFrom, started)];
  },
  pause: () => queue.pause(),
  /** Ends the pause, and works until so many more jobs are acknowledged. */
  run: ({ jobs }) => {
    const total = started + jobs;
    return measure(async () => {
      await queue.resume();
      await untilAcknowledged(total);
    });
  },
});
