// @ts-check
/** Claims by hand. */
import { peer, serve, settings } from "./child.mjs";

const claimer = await peer.openClaimer?.(settings.target);
if (!claimer) {
  throw new Error(`${settings.peer} has no call that claims jobs`);
}

/** @param {{ claims: number, batch: number }} argument Batch 0: nothing is due. */
async function claim({ claims, batch }) {
  let claimed = 0;
  const startedAt = performance.now();
  for (let n = 0; n < claims; n += 1) {
    claimed += await claimer.claim(Math.max(1, batch));
  }
  return { claimed, elapsedMs: performance.now() - startedAt };
}

serve({
  start: () => {},
  claim,
  acknowledge: () => claimer.acknowledge(),
});
