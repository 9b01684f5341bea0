/** An audit whose scan of the leases is cut in two by a move: a cursor of one server means nothing on another. */
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { audit, type AuditedStore } from "../../src/core/engine/auditor.ts";
import { MEND_MAX_LEASES } from "../../src/core/model/limits.ts";
import { resolveQueueOptions } from "../../src/core/model/queue-options.ts";
import { AuditStore } from "../../src/core/store/audit-store.ts";
import { Connection } from "../../src/core/store/connection.ts";
import { queueKeys } from "../../src/core/store/keys.ts";
import { ScriptRunner } from "../../src/core/store/script-runner.ts";
import { RedisCluster } from "../../tools/redis/cluster.ts";
import { clusterClient, moveSlot, nameOn, slotOfQueue } from "../helpers/cluster.ts";

let cluster: RedisCluster;

beforeAll(async () => {
  cluster = await RedisCluster.start();
}, 60_000);
afterAll(() => cluster?.stop());

/** A queue whose jobs are claimed after an audit's first scan; its slot moves during the second. */
async function openMoving(leases: number) {
  const [home, away] = cluster.nodes;
  const client = clusterClient(cluster);
  const name = await nameOn(cluster, home!);
  const keys = queueKeys("holdfast", name);
  const ids = Array.from({ length: leases }, (_, index) => `held-${index}`);
  await client.hset(keys.jobs, ...ids.flatMap((id) => [id, "envelope"]));
  await client.hset(keys.meta, "enqueued", leases);
  const connection = new Connection(resolveQueueOptions(name, { connection: client as never }));
  onTestFinished(() => connection.close());
  const store = new AuditStore(connection, new ScriptRunner(connection, keys));
  let scan = 0;
  let pages = 0;
  const moving: AuditedStore = {
    get serverEpoch() {
      return store.serverEpoch;
    },
    async verifyPage(part, cursor, pageSize) {
      const page = await store.verifyPage(part, cursor, pageSize);
      if (part !== "processing") return page;
      scan += cursor === "0" ? 1 : 0;
      pages += scan === 2 ? 1 : 0;
      if (scan === 1 && page.cursor === "0") {
        const deadline = Date.now() + 3_600_000;
        await client.zadd(keys.processing, ...ids.flatMap((id) => [deadline, `${id}:1`]));
        await client.hset(keys.meta, "token", 1);
      } else if (pages === 10) {
        await moveSlot(cluster, await slotOfQueue(cluster, name), away!);
      }
      return page;
    },
    mend: (...args) => store.mend(...args),
    mendQueue: (...args) => store.mendQueue(...args),
  };
  return { client, keys, moving };
}

test.each([
  ["few", 2_000],
  ["many", MEND_MAX_LEASES + 1_000],
])(
  "gives no held job a second holder where leases are %s",
  async (_, leases) => {
    const { client, keys, moving } = await openMoving(leases);
    const report = await audit(moving, true);
    expect(await client.zcard(keys.delayed)).toBe(0);
    expect(report).toMatchObject({ isSound: true, breachCount: 0, jobs: leases });
  },
  60_000,
);
