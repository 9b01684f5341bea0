/** Claims by hand, extends and settles each delivery itself. */
import { setTimeout as sleep } from "node:timers/promises";
import { DeadLetter, type Delivery, LeaseLostError, RetryLater } from "../../../src/index.ts";
import type { SettleResult } from "../../../src/index.ts";
import type { Settlement } from "../history/lines.ts";
import { VISIBILITY_TIMEOUT_MS } from "../soak/setting.ts";
import { behave, type SoakJob } from "./behaviour.ts";
import { noteEnd, noteExtend, noteStart } from "./delivery-notes.ts";
import { beginLife } from "./life.ts";

const MAX_UNDER_WAY = 10;
const WAIT_MS = [0, 1_500] as const;
const RETRY_PAUSE_MS = 100;
const HURRY_MS = 300;
const FAILURE_DELAY_MS = 200;

const life = beginLife();
const { queue, journal, chance } = life;
const underWay = new Set<Promise<void>>();
const stopping = new AbortController();
void life.stopped.then(() => stopping.abort());

async function work(delivery: Delivery<SoakJob>): Promise<void> {
  noteStart(journal, delivery);
  const lost = new AbortController();
  const extend = () => noteExtend(journal, delivery);
  const keeping = setInterval(() => {
    extend().catch((error: unknown) => {
      if (error instanceof LeaseLostError) lost.abort(error); // others: the next one may get through
    });
  }, VISIBILITY_TIMEOUT_MS / 3);
  let error: unknown;
  try {
    await behave(delivery, lost.signal, extend);
  } catch (thrown) {
    error = thrown;
  } finally {
    clearInterval(keeping);
  }
  await settle(delivery, error);
}

async function settle(delivery: Delivery<SoakJob>, error: unknown): Promise<void> {
  noteEnd(journal, delivery, error);
  const { id, fencingToken: token } = delivery;
  try {
    const [settlement, result] = await sendOutcome(delivery, error);
    const told = result === "done" ? settlement : "lost";
    const isCounted = settlement === "retried" && !(error instanceof RetryLater);
    journal.write({ kind: "settled", id, token, settlement: told, isCounted });
  } catch (failure) {
    journal.write({ kind: "error", code: "settle", message: String(failure) });
  }
}

async function sendOutcome(
  delivery: Delivery<SoakJob>,
  error: unknown,
): Promise<[Settlement, SettleResult]> {
  if (error === undefined) {
    return ["completed", await delivery.ack()];
  }
  if (error instanceof DeadLetter) {
    return ["dead", await delivery.bury(error.message)];
  }
  const countsAttempt = !(error instanceof RetryLater);
  const delayMs = error instanceof RetryLater ? error.delayMs : FAILURE_DELAY_MS;
  return ["retried", await delivery.nack({ delayMs, error, countsAttempt })];
}

life.tell("ready");
while (!life.isStopping) {
  const free = MAX_UNDER_WAY - underWay.size;
  const max = chance.integer(1, 5);
  const waitMs = chance.integer(...WAIT_MS);
  if (free < max) {
    await Promise.race([...underWay, life.stopped]);
    continue;
  }
  try {
    const deliveries = await queue.claim({
      max,
      waitMs,
      visibilityTimeoutMs: VISIBILITY_TIMEOUT_MS,
      signal: stopping.signal,
    });
    for (const delivery of deliveries) {
      const working = work(delivery);
      underWay.add(working);
      void working.finally(() => underWay.delete(working));
    }
    if (deliveries.length === 0) await Promise.race([sleep(RETRY_PAUSE_MS), life.stopped]);
  } catch (error) {
    journal.write({ kind: "error", code: "claim", message: String(error) });
    await Promise.race([sleep(RETRY_PAUSE_MS), life.stopped]);
  }
}
const rest = Promise.all(underWay);
await ((await life.stopped) === "hurry" ? Promise.race([rest, sleep(HURRY_MS)]) : rest);
await life.end();
