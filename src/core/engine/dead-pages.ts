/** The dead letters of all shards as one list, oldest first. */
import type { JobStore } from "../store/job-store.ts";

/** A place in the list, whether or not a dead letter is there. */
export interface DeadPlace {
  readonly id: string;
  readonly diedAtMs: number;
}

export const FIRST_PLACE: DeadPlace = { id: "", diedAtMs: 0 };

/** @param untilMs those that died later are left out */
export async function readDeadPage(
  shards: readonly { readonly store: JobStore }[],
  maxJobs: number,
  after: DeadPlace,
  untilMs: number,
): Promise<DeadPlace[]> {
  const page = { maxJobs, afterId: after.id, afterMs: after.diedAtMs, untilMs };
  const pages = await Promise.all(shards.map(({ store }) => store.listDead(page)));
  return pages.flat().toSorted(byPlace).slice(0, maxJobs);
}

/** As a sorted set orders them: by score, then by the bytes of the id. */
function byPlace(one: DeadPlace, other: DeadPlace): number {
  return (
    one.diedAtMs - other.diedAtMs || Buffer.compare(Buffer.from(one.id), Buffer.from(other.id))
  );
}
