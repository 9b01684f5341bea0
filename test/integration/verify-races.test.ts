/** Jobs that move at the worst moments of an audit: between a scan of `processing` and the verdict. */
import { describe, expect, onTestFinished, test } from "vitest";
import { type AuditedStore, audit } from "../../src/core/engine/auditor.ts";
import { MEND_MAX_LEASES } from "../../src/core/model/limits.ts";
import { resolveQueueOptions } from "../../src/core/model/queue-options.ts";
import { AuditStore } from "../../src/core/store/audit-store.ts";
import { Connection } from "../../src/core/store/connection.ts";
import { ScriptRunner } from "../../src/core/store/script-runner.ts";
import { testQueue } from "../helpers/holdfast.ts";
import { failOnLeaks } from "../helpers/leak-check.ts";
import { testConnection } from "../helpers/redis.ts";

failOnLeaks();

interface Moments {
  /** Before the scan of this number, from 1. */
  beforeScan(scan: number): Promise<unknown>;
  afterScan(scan: number): Promise<unknown>;
  /** Whether `afterScan` comes after its first page already: a scan may miss what is added later. */
  readonly comesEarly: boolean;
}

/** The store, with something happening around each scan of `processing`. */
function disturbed(store: AuditStore, moments: Moments): AuditedStore {
  let scan = 0;
  return {
    get serverEpoch() {
      return store.serverEpoch;
    },
    async verifyPage(part, cursor, pageSize) {
      const isFirst = cursor === "0";
      if (part === "processing" && isFirst) {
        scan += 1;
        await moments.beforeScan(scan);
      }
      const page = await store.verifyPage(part, cursor, pageSize);
      if (part !== "processing") return page;
      if (moments.comesEarly ? isFirst : page.cursor === "0") await moments.afterScan(scan);
      const findings = page.findings.filter(({ name }) => isFirst || !name.startsWith("x:"));
      return moments.comesEarly ? { ...page, findings } : page;
    },
    mend: (...args) => store.mend(...args),
    mendQueue: (...args) => store.mendQueue(...args),
  };
}

/** A queue with this many leases, and a job x that is claimed after each scan and given back before it. */
async function openDisturbed(leases: number, lastScan: number, comesEarly = false) {
  const harness = testQueue<string>();
  const { queue, redis, keys } = harness;
  if (leases > 0) {
    const ids = Array.from({ length: leases }, (_, n) => `held-${n}`);
    await redis.hset(keys.jobs, ...ids.flatMap((id) => [id, "envelope"]));
    const deadline = Date.now() + 3_600_000;
    await redis.zadd(keys.processing, ...ids.flatMap((id) => [deadline, `${id}:1`]));
    await redis.hset(keys.meta, "enqueued", leases);
  }
  await queue.enqueue("data", { id: "x" });
  const options = resolveQueueOptions(queue.name, { connection: testConnection() });
  const connection = new Connection(options);
  onTestFinished(() => connection.close());
  let giveBack: (() => Promise<unknown>) | undefined;
  const store = disturbed(new AuditStore(connection, new ScriptRunner(connection, keys)), {
    comesEarly,
    async beforeScan(scan) {
      if (scan <= lastScan) await giveBack?.();
    },
    async afterScan(scan) {
      if (scan > lastScan) return;
      const [delivery] = await queue.claim();
      expect(delivery?.id).toBe("x");
      giveBack = () => delivery!.nack({ countsAttempt: false });
    },
  });
  const leasesOfX = async () => {
    const all = await redis.zrange(keys.processing, 0, "-1");
    return all.filter((lease) => lease.startsWith("x:")).length;
  };
  return { ...harness, store, leasesOfX };
}

describe("a job that is claimed after each scan", () => {
  test("is searched for where the leases are few", async () => {
    const { store, redis, keys, leasesOfX } = await openDisturbed(0, 99);
    expect(await audit(store, true)).toMatchObject({ isSound: true, jobs: 1 });
    expect(await leasesOfX()).toBe(1);
    expect(await redis.zscore(keys.delayed, "x")).toBeNull();
  });

  test("is found at the next look where they are many", async () => {
    const leases = MEND_MAX_LEASES + 1;
    const { store, redis, keys, leasesOfX } = await openDisturbed(leases, 2);
    expect(await audit(store, true)).toMatchObject({ isSound: true, jobs: leases + 1 });
    expect(await leasesOfX()).toBe(1);
    expect(await redis.zscore(keys.delayed, "x")).toBeNull();
  });

  test.each([
    ["after each scan", false],
    ["during each scan, which misses it", true],
  ])("is called unknown if claimed %s, and gets no second holder", async (_, comesEarly) => {
    const leases = MEND_MAX_LEASES + 1;
    const { store, redis, keys, leasesOfX } = await openDisturbed(leases, 99, comesEarly);
    expect(await audit(store, true)).toMatchObject({
      isSound: false,
      breachCount: 0,
      unknownCount: 1,
    });
    expect(await leasesOfX()).toBe(1);
    expect(await redis.zscore(keys.delayed, "x")).toBeNull();
  });
});

test("after a reconnect a scan proves nothing: the server may be another", async () => {
  const leases = MEND_MAX_LEASES + 1;
  const { store, redis, keys } = await openDisturbed(leases, 0);
  await redis.zrem(keys.delayed, "x");
  let epoch = 0;
  const flapping: AuditedStore = {
    ...store,
    get serverEpoch() {
      epoch += 1;
      return epoch;
    },
  };
  expect(await audit(flapping, true)).toMatchObject({ breachCount: 0, unknownCount: 1 });
  expect(await audit(store, true)).toMatchObject({ breachCount: 1, unknownCount: 0 });
});
