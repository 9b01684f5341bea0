/** Proves that a peer does what the bench takes for granted, before any figure is believed. */
import { setTimeout as sleep } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import { Redis } from "ioredis";
import type { Peer, PeerItem, PeerJob, PeerTarget } from "./peer.ts";

const jobs = 200;
const claimedJobs = 20;
const concurrency = 7;
/** Enough to enqueue them all before the first is due, on a busy machine and by code that runs for the first time. */
const delayMs = 500;
const handlerMs = 2;
const earlyAllowedMs = 5;
const timeoutMs = 20_000;
/** For a job that would run, or be acknowledged, once too often. */
const settleMs = 100;

/**
 * Enqueues 200 jobs, half of them one by one and half together, every other one delayed, and works on
 * them; then claims some by hand, where the library can. The caller removes the queue's keys.
 *
 * @returns all that the peer does not do
 */
export async function faultsOfPeer(peer: Peer, target: PeerTarget): Promise<string[]> {
  const server = new Redis(target.url);
  try {
    const faults = await faultsOf(peer, target, server);
    return faults.length > 0 ? faults : await claimFaults(peer, target);
  } finally {
    server.disconnect();
  }
}

async function faultsOf(peer: Peer, target: PeerTarget, server: Redis): Promise<string[]> {
  const keysBefore = await allKeys(server);
  const run = new Run();
  const producer = await peer.openProducer(target);
  const namedProducer = await countNamed(server, target.connectionName);
  const items = makeItems();
  let newKeys: string[];
  let named: number;
  try {
    const half = items.length / 2;
    await Promise.all(items.slice(0, half).map((item) => producer.enqueue(item)));
    await producer.enqueueMany(items.slice(half));
    newKeys = [...(await allKeys(server))].filter((key) => !keysBefore.has(key));
    const worker = await peer.openWorker(target, {
      concurrency,
      handler: (job) => run.handle(job),
      onAcknowledged: (data) => void run.acknowledged.push(data),
      onError: (error) => run.fail(error),
    });
    named = await countNamed(server, target.connectionName);
    await until(() => run.acknowledged.length >= items.length);
    await sleep(settleMs);
    await worker.close();
  } finally {
    await producer.close();
  }
  const closed = await until(async () => (await countNamed(server, target.connectionName)) === 0);

  const strayKeys = newKeys.filter((key) => !key.startsWith(target.prefix));
  const found: readonly [isFault: boolean, fault: string][] = [
    [newKeys.length === 0, "its jobs are not in this Redis"],
    [strayKeys.length > 0, `its key ${strayKeys[0]} does not begin with ${target.prefix}`],
    [namedProducer === 0, `no connection of its producer is named ${target.connectionName}`],
    [named <= namedProducer, `no connection of its worker is named ${target.connectionName}`],
    [!closed, "its connections stay open after close"],
  ];
  return [...run.faults(items), ...found.flatMap(([isFault, fault]) => (isFault ? [fault] : []))];
}

/** Each due job is claimed once, and one that is not due never. */
async function claimFaults(peer: Peer, target: PeerTarget): Promise<string[]> {
  if (!peer.openClaimer) {
    return [];
  }
  const producer = await peer.openProducer(target);
  const claimer = await peer.openClaimer(target);
  try {
    await producer.enqueue({ data: { n: claimedJobs }, dueAtMs: Date.now() + timeoutMs });
    await producer.enqueueMany(Array.from({ length: claimedJobs }, (_, n) => ({ data: { n } })));
    let claims = 0;
    while (claims <= claimedJobs && (await claimer.claim(1)) === 1) claims += 1;
    await claimer.acknowledge();
    const counts = `its claims by hand took ${claims} jobs, where ${claimedJobs} were due`;
    return claims === claimedJobs ? [] : [counts];
  } finally {
    await claimer.close();
    await producer.close();
  }
}

/** What a worker did with the jobs. */
class Run {
  readonly acknowledged: unknown[] = [];
  #errors = 0;
  #firstError: unknown;
  readonly #started: { readonly job: PeerJob; readonly atMs: number }[] = [];
  #running = 0;
  #mostRunning = 0;

  async handle(job: PeerJob): Promise<void> {
    this.#started.push({ job, atMs: Date.now() });
    this.#running += 1;
    this.#mostRunning = Math.max(this.#mostRunning, this.#running);
    await sleep(handlerMs);
    this.#running -= 1;
  }

  fail(error: unknown): void {
    this.#errors += 1;
    this.#firstError ??= error;
  }

  #isAcknowledged({ data }: PeerItem): boolean {
    return this.acknowledged.some((other) => isDeepStrictEqual(other, data));
  }

  faults(items: readonly PeerItem[]): string[] {
    const timesRun = new Map<unknown, number>();
    for (const { job } of this.#started) {
      const item = items.find(({ data }) => isDeepStrictEqual(data, job.data));
      timesRun.set(item, (timesRun.get(item) ?? 0) + 1);
    }
    const early = this.#started.filter(({ job, atMs }) => atMs < job.dueAtMs - earlyAllowedMs);
    const due = items.flatMap(({ dueAtMs }) => dueAtMs ?? []);
    const dueRun = new Set(this.#started.map(({ job }) => job.dueAtMs));
    const found: readonly [count: number, fault: string][] = [
      [this.#errors, `errors, the first: ${String(this.#firstError)}`],
      [timesRun.get(undefined) ?? 0, "jobs came out with other data than they went in with"],
      [items.filter((item) => !timesRun.has(item)).length, "jobs were not run"],
      [items.filter((item) => (timesRun.get(item) ?? 0) > 1).length, "jobs ran more than once"],
      [this.acknowledged.length - items.length, "acknowledgements too many"],
      [items.filter((item) => !this.#isAcknowledged(item)).length, "jobs were not acknowledged"],
      [early.length, "jobs ran before they were due"],
      [due.filter((dueAtMs) => !dueRun.has(dueAtMs)).length, "jobs told another due time"],
      [Math.max(0, this.#mostRunning - concurrency), `handlers above concurrency ${concurrency}`],
      [this.#mostRunning < 2 ? 1 : 0, `handlers at a time at concurrency ${concurrency}`],
    ];
    return found.filter(([count]) => count > 0).map(([count, fault]) => `${count} ${fault}`);
  }
}

/** Each delayed job has a due time of its own, by which it is told apart. */
function makeItems(): PeerItem[] {
  const firstDueAtMs = Date.now() + delayMs;
  return Array.from({ length: jobs }, (_, n) => {
    const data = { n, text: `größe "${n}"\n`, list: [n, null, true, { deep: n / 3 }], empty: {} };
    return n % 2 === 0 ? { data } : { data, dueAtMs: firstDueAtMs + n };
  });
}

/** @returns whether the condition held in time */
async function until(condition: () => boolean | Promise<boolean>): Promise<boolean> {
  for (const end = Date.now() + timeoutMs; Date.now() < end; await sleep(5)) {
    if (await condition()) {
      return true;
    }
  }
  return false;
}

async function allKeys(server: Redis): Promise<Set<string>> {
  const keys = new Set<string>();
  for await (const page of server.scanStream({ count: 1_000 })) {
    for (const key of page as string[]) keys.add(key);
  }
  return keys;
}

async function countNamed(server: Redis, connectionName: string): Promise<number> {
  const list = String(await server.client("LIST"));
  return list.split("\n").filter((line) => line.split(" ").includes(`name=${connectionName}`))
    .length;
}
