/** Sends dead letters round again, purges some, and audits the queue beside all the rest. */
import { setTimeout as sleep } from "node:timers/promises";
import { beginLife } from "./life.ts";

const PAUSE_MS = [200, 1_000] as const;
const PURGED_SHARE = 0.15;
const AUDITED_SHARE = 0.3;

const life = beginLife();
const { queue, journal, chance } = life;

/** One id a call, so that the answer is about it alone. */
async function redrive(id: string): Promise<void> {
  journal.write({ kind: "redrive", id });
  const isRedriven = (await queue.dead.redrive({ ids: [id] })) === 1;
  journal.write({ kind: "redrive-answered", id, isRedriven });
}

async function purge(id: string): Promise<void> {
  journal.write({ kind: "purge", id });
  const isPurged = (await queue.dead.purge({ ids: [id] })) === 1;
  journal.write({ kind: "purge-answered", id, isPurged });
}

async function audit(): Promise<void> {
  const { breaches } = await queue.verify();
  journal.write({ kind: "audit", breaches });
}

life.tell("ready");
while (!life.isStopping) {
  await Promise.race([sleep(chance.integer(...PAUSE_MS)), life.stopped]);
  try {
    const { jobs } = await queue.dead.list();
    for (const { id } of jobs) {
      await (chance.happens(PURGED_SHARE) ? purge(id) : redrive(id));
    }
    if (chance.happens(AUDITED_SHARE)) await audit();
  } catch (error) {
    journal.write({ kind: "error", code: "operate", message: String(error) });
  }
}
await life.end();
