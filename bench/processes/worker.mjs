// @ts-check
/** A worker whose handlers do next to nothing, so that the library is what is measured. */
import {
  cpuMicroseconds,
  exportedSpans,
  fractionalWallClock,
  peer,
  serve,
  sharedNowMs,
} from "./child.mjs";
import { JobCounts } from "./job-counts.mjs";

const maxNotes = 1_000_000;
const maxErrors = 10;
const wallClockNowMs = fractionalWallClock();

/** @type {import("../peers/peer.ts").PeerWorker | undefined} */
let worker;
/** @type {[number, number][]} */
let notes = [];
/** @type {string[]} */
let errors = [];
let started = 0;
let acknowledged = 0;
let startedJobs = new JobCounts();
let acknowledgedJobs = new JobCounts();
let firstStartAtMs = 0;
let lastStartAtMs = 0;
let lastAcknowledgedAtMs = 0;
let cpuAtFirstStart = 0;

/** @param {unknown} data */
function countStart(data) {
  startedJobs.add(data);
  started += 1;
  lastStartAtMs = sharedNowMs();
  if (started === 1) {
    firstStartAtMs = lastStartAtMs;
    cpuAtFirstStart = cpuMicroseconds();
  }
}

/** @param {number} key @param {number} value */
function note(key, value) {
  if (notes.length < maxNotes) {
    notes.push([key, value]);
  }
}

/** @type {Record<string, (job: import("../peers/peer.ts").PeerJob) => Promise<unknown>>} */
const handlers = {
  "no-op": async ({ data }) => {
    countStart(data);
  },
  "note-start": async ({ data }) => {
    note(/** @type {any} */ (data).n, sharedNowMs());
    countStart(data);
  },
  /** How late it is against the time that the producer wanted, whatever the library made of it. */
  "note-lateness": async ({ data }) => {
    const { dueAtMs } = /** @type {any} */ (data);
    if (dueAtMs !== undefined) {
      note(dueAtMs, wallClockNowMs() - dueAtMs);
    }
    countStart(data);
  },
  hold: ({ data }) => {
    countStart(data);
    return new Promise(() => {});
  },
};

/** @param {any} argument */
async function open({ target, handler = "no-op", ...options }) {
  notes = [];
  errors = [];
  started = 0;
  acknowledged = 0;
  startedJobs = new JobCounts();
  acknowledgedJobs = new JobCounts();
  worker = await peer.openWorker(target, {
    ...options,
    handler: /** @type {any} */ (handlers[handler]),
    onAcknowledged: (data) => {
      acknowledgedJobs.add(data);
      acknowledged += 1;
      lastAcknowledgedAtMs = sharedNowMs();
    },
    onError: (error) => {
      if (errors.length < maxErrors) errors.push(String(error));
    },
  });
}

serve({
  start: () => {},
  open,
  close: async () => {
    await worker?.close(); // what it resolves to may be nothing that can be sent
  },
  progress: () => ({
    started,
    acknowledged,
    firstStartAtMs,
    lastStartAtMs,
    lastAcknowledgedAtMs,
    cpuMicroseconds: cpuMicroseconds() - cpuAtFirstStart,
    errors,
  }),
  jobCounts: () => ({ started: startedJobs.all, acknowledged: acknowledgedJobs.all }),
  exportedSpans,
  /** What the handlers have noted since this was last asked. */
  notes: () => notes.splice(0),
});
