// @ts-check
/** What a worker or producer process of the bench has in common: its settings, requests, clocks. */

/** @type {{ peer: string, target: import("../peers/peer.ts").PeerTarget, hasTracing: boolean }} */
export const settings = JSON.parse(process.argv[2] ?? "{}");

// Ends with its parent, however that ended, also while the modules below are loading.
process.on("disconnect", () => process.exit());
if (!process.connected) {
  process.exit();
}

const tracing = settings.hasTracing ? await import("./tracing.mjs") : undefined;
tracing?.startTracing();

/** How many spans were exported in this process; 0 without tracing. */
export async function exportedSpans() {
  return (await tracing?.exportedSpans()) ?? 0;
}

/** @type {import("../peers/peer.ts").Peer} */
export const peer = await import(`../peers/${settings.peer}.mjs`);

/**
 * Answers the parent's requests by name.
 *
 * @param {Record<string, (argument: any) => unknown>} answers
 */
export function serve(answers) {
  process.on("message", (/** @type {any} */ { request, number, argument }) => {
    Promise.resolve()
      .then(() => answers[request]?.(argument))
      .then(
        (value) => process.send?.({ request: number, value }),
        (error) => process.send?.({ request: number, error: String(error?.stack ?? error) }),
      );
  });
}

/** Milliseconds on the machine's monotonic clock, which all its processes share. */
export function sharedNowMs() {
  return Number(process.hrtime.bigint()) / 1e6;
}

/**
 * Milliseconds since 1970 with a fraction. `Date.now()` and Redis's TIME read the same clock, but the
 * former cuts the fraction off; so the offset is taken where it ticks over.
 */
export function fractionalWallClock() {
  let offset = Number.NEGATIVE_INFINITY;
  for (const end = performance.now() + 20; performance.now() < end;) {
    offset = Math.max(offset, Date.now() - performance.now());
  }
  return () => offset + performance.now();
}

/** @returns the processor time of this process so far, in microseconds */
export function cpuMicroseconds() {
  const { user, system } = process.cpuUsage();
  return user + system;
}
