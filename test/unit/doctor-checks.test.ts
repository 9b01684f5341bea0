/** Each check of the doctor, from facts to findings: what is dangerous, what is only worth a look. */
import { describe, expect, test } from "vitest";
import { emptyCounts, type VerifyReport } from "../../src/core/model/verify-report.ts";
import { queueStats } from "../../src/core/queue-results.ts";
import type { ServerFacts } from "../../src/core/store/server-facts.ts";
import { checkQueue } from "../../src/cli/doctor/queue-checks.ts";
import { checkServer } from "../../src/cli/doctor/server-checks.ts";
import type { ShardFacts } from "../../src/cli/doctor/facts.ts";
import type { Finding } from "../../src/cli/doctor/finding.ts";

const GOOD = {
  redis_version: "8.2.2",
  role: "master",
  slave0: "ip=10.0.0.2,port=6379,state=online,offset=1,lag=1",
  aof_enabled: "1",
  aof_last_write_status: "ok",
  aof_last_bgrewrite_status: "ok",
  rdb_last_bgsave_status: "ok",
  maxmemory_policy: "noeviction",
  used_memory: "1048576",
  maxmemory: "104857600",
};

function factsOf(
  info: Record<string, string | undefined> = {},
  change: Partial<ServerFacts> = {},
): ServerFacts {
  const fields = Object.entries({ ...GOOD, ...info }).filter(([, value]) => value !== undefined);
  return {
    info: { value: new Map(fields as [string, string][]) },
    settings: { value: new Map([["appendfsync", "always"]]) },
    clock: { value: { offsetMs: 3, uncertaintyMs: 5 } },
    scripts: { value: true },
    cluster: undefined,
    ...change,
  };
}

/** As "check severity: message", without those that are ok. */
function faults(findings: readonly Finding[]): string[] {
  const faulty = findings.filter(({ severity }) => severity !== "ok");
  for (const { severity, remedy } of faulty) {
    expect(remedy === undefined).toBe(severity === "unknown");
  }
  return faulty.map(({ check, severity, message }) => `${check} ${severity}: ${message}`);
}

const saved = (save: string) => ({ settings: { value: new Map([["save", save]]) } });
const settingsOf = (name: string, value: string) => ({
  settings: { value: new Map([[name, value]]) },
});

test("a good server has nothing but ok", () => {
  expect(checkServer(factsOf()).map(({ check, severity }) => `${check} ${severity}`)).toEqual([
    "version ok",
    "scripts ok",
    "persistence ok",
    "eviction ok",
    "memory ok",
    "replication ok",
    "clock ok",
  ]);
});

test.each<[string, Record<string, string | undefined>, Partial<ServerFacts>, RegExp]>([
  [
    "an old Redis",
    { redis_version: "6.2.14" },
    {},
    /^version danger: Redis 6.2.14.*needs Redis 7.0/,
  ],
  ["an old Valkey", { valkey_version: "7.1.0" }, {}, /^version danger: Valkey 7.1.0/],
  ["flawed Lua", { redis_version: "7.0.15" }, {}, /^version advice: Redis 7.0.15.*CVE-2025-49844/],
  ["flawed Lua, 7.2", { redis_version: "7.2.10" }, {}, /^version advice: Redis 7.2.10/],
  ["flawed Lua, 8.0", { redis_version: "8.0.3" }, {}, /^version advice: Redis 8.0.3/],
  ["flawed Lua, Valkey", { valkey_version: "8.0.5" }, {}, /^version advice: Valkey 8.0.5/],
  [
    "another product",
    { dragonfly_version: "df-v1.30" },
    {},
    /^version advice: Dragonfly.*tested on/,
  ],
  ["no version", { redis_version: undefined }, {}, /^version unknown/],
  ["no disk", { aof_enabled: "0" }, saved(""), /^persistence danger: .*a restart loses every job$/],
  ["snapshots", { aof_enabled: "0" }, saved("3600 1"), /^persistence advice: snapshots only/],
  ["snapshots hidden", { aof_enabled: "0" }, { settings: { hidden: "x" } }, /^persistence unknown/],
  ["fsync no", {}, settingsOf("appendfsync", "no"), /^persistence advice: AOF, appendfsync no/],
  ["fsync hidden", {}, { settings: { hidden: "x" } }, /^persistence unknown: AOF is on/],
  ["AOF hidden", { aof_enabled: undefined }, {}, /^persistence unknown/],
  ["a full disk", { aof_last_write_status: "err" }, {}, /^persistence danger: the last write/],
  ["no rewrite", { aof_last_bgrewrite_status: "err" }, {}, /^persistence advice: the last rewrite/],
  ["no snapshot", { rdb_last_bgsave_status: "err" }, {}, /^persistence danger: the last snapshot/],
  ["eviction", { maxmemory_policy: "allkeys-lru" }, {}, /^eviction danger: .*deletes whole queues/],
  ["policy hidden", { maxmemory_policy: undefined }, {}, /^eviction unknown/],
  ["no limit", { maxmemory: "0" }, {}, /^memory advice: 1 MiB used, and no maxmemory/],
  ["a full memory", { maxmemory: "1100000" }, {}, /^memory danger: 1 MiB of 1 MiB used \(95 %\)/],
  ["memory hidden", { maxmemory: undefined }, {}, /^memory unknown/],
  [
    "a replica",
    { role: "slave", master_link_status: "down" },
    {},
    /^replication danger: .*is down/,
  ],
  ["no replica", { slave0: undefined }, {}, /^replication advice: a primary without replicas/],
  [
    "a lagging replica",
    { slave0: "state=online,lag=30" },
    {},
    /^replication advice: .*1 lag behind/,
  ],
  ["a syncing replica", { slave0: "state=send_bulk,lag=0" }, {}, /^replication advice: .*1 lag/],
  ["role hidden", { role: undefined }, {}, /^replication unknown/],
  ["no scripts", {}, { scripts: { hidden: "NOPERM" } }, /^scripts danger: .*NOPERM$/],
  ["a clock ahead", {}, clockOf(7_000), /^clock advice: .*7.0 s ahead of this machine's/],
  ["a clock behind", {}, clockOf(-7_000), /^clock advice: .*7.0 s behind/],
  ["a clock hidden", {}, { clock: { hidden: "NOPERM" } }, /^clock unknown: .*NOPERM$/],
  ["a cluster down", {}, clusterOf("fail", "100"), /^cluster danger: cluster state fail, 100 of/],
  ["a cluster with holes", {}, clusterOf("ok", "16000"), /^cluster advice: .*16000 of 16384/],
  ["a cluster hidden", {}, { cluster: { hidden: "NOPERM" } }, /^cluster unknown: .*NOPERM$/],
])("%s", (_, info, change, expected) => {
  const found = faults(checkServer(factsOf(info, change)));
  expect(found).toHaveLength(1);
  expect(found[0]).toMatch(expected);
});

function clockOf(offsetMs: number): Partial<ServerFacts> {
  return { clock: { value: { offsetMs, uncertaintyMs: 100 } } };
}

function clusterOf(state: string, served: string): Partial<ServerFacts> {
  const fields = [
    ["cluster_state", state],
    ["cluster_slots_ok", served],
  ] as const;
  return { cluster: { value: new Map(fields) } };
}

test.each<[Record<string, string>, Partial<ServerFacts>]>([
  [{ redis_version: "7.2.11" }, {}],
  [{ redis_version: "7.4.6" }, {}],
  [{ redis_version: "8.6.0" }, {}],
  [{ valkey_version: "9.0.0", redis_version: "7.2.4" }, {}],
  [{ maxmemory_policy: "volatile-lru" }, {}],
  [{}, settingsOf("appendfsync", "everysec")],
  [{}, { clock: { value: { offsetMs: 9_000, uncertaintyMs: 4_500 } } }],
  [{}, clusterOf("ok", "16384")],
])("nothing is wrong with %j", (info, change) => {
  expect(faults(checkServer(factsOf(info, change)))).toEqual([]);
});

test("WAITAOF of 7.4.0 to 7.4.2 is told beside the flaws of its Lua", () => {
  const found = faults(checkServer(factsOf({ redis_version: "7.4.2" })));
  expect(found).toHaveLength(2);
  expect(found[1]).toMatch(/^version advice: .*WAITAOF/);
});

test("a hidden INFO makes unknown what it would tell, not the rest", () => {
  const found = faults(checkServer(factsOf({}, { info: { hidden: "NOPERM" } })));
  expect(found.map((text) => text.split(":")[0])).toEqual([
    "version unknown",
    "persistence unknown",
    "memory unknown",
    "replication unknown",
  ]);
});

describe("a queue", () => {
  function shardOf(
    counts: Partial<Record<"delayed" | "due" | "processing" | "dead" | "age" | "paused", number>>,
    verify: Partial<VerifyReport> | undefined = {},
    shard?: number,
  ): ShardFacts {
    const { delayed = 0, due = 0, processing = 0, dead = 0, age = -1, paused = 0 } = counts;
    const report = {
      isSound: true,
      isComplete: true,
      jobs: 10,
      breachCount: 0,
      breachCounts: emptyCounts(),
      breaches: [],
      unknownCount: 0,
      ...verify,
    };
    return {
      shard,
      server: "127.0.0.1:6379",
      stats: queueStats([delayed, due, processing, dead, age, paused, 0]),
      verify: verify && report,
    };
  }
  const plain = { name: "q", shardCount: 1, outsiders: [], isMarked: false, failures: [] };
  const judge = (...shards: ShardFacts[]) =>
    faults(checkQueue({ ...plain, shardCount: shards.length, shards }));

  test("that works has nothing but ok", () => {
    expect(judge(shardOf({ delayed: 5, due: 3, age: 1_000, processing: 2 }))).toEqual([]);
  });

  test.each<[string, ShardFacts, RegExp]>([
    ["late", shardOf({ due: 2, age: 61_000, processing: 1 }), /^due advice: 2 jobs due.* 61 s$/],
    ["late, alone", shardOf({ due: 2, age: 9e6 }), /^due advice: .*3 h, and no worker is there$/],
    ["paused", shardOf({ due: 2, age: 61_000, paused: 1 }), /^paused advice: paused: nothing/],
    ["dead", shardOf({ dead: 1_234 }), /^dead advice: 1,234 dead letters$/],
    ["one dead", shardOf({ dead: 1 }), /^dead advice: 1 dead letter$/],
    [
      "unaudited",
      { ...shardOf({ due: 7 }), verify: undefined },
      /^verify unknown: .* 0 of about 7/,
    ],
    ["cut", shardOf({ due: 70 }, { isComplete: false }), /^verify unknown: .* 10 of about 70 jobs/],
    ["unjudged", shardOf({}, { isSound: false, unknownCount: 3 }), /^verify unknown: no breach/],
    [
      "breached",
      shardOf(
        {},
        { isSound: false, breachCount: 1, breachCounts: { ...emptyCounts(), orphan: 1 } },
      ),
      /^verify danger: NOT SOUND: 10 jobs looked at, 1 breach found/,
    ],
  ])("that is %s", (_, shard, expected) => {
    const found = judge(shard);
    expect(found).toHaveLength(1);
    expect(found[0]).toMatch(expected);
  });

  test("of several shards is judged as one", () => {
    const found = judge(shardOf({ dead: 1 }, {}, 0), shardOf({ dead: 2, paused: 1 }, {}, 1), {
      ...shardOf({ due: 5, age: 1 }, {}, 2),
      verify: undefined,
    });
    expect(found).toEqual([
      "paused advice: paused in 1 of 3 shards: nothing is claimed",
      "dead advice: 3 dead letters",
      "verify unknown: not audited to the end: no breach in 20 of about 8 jobs; --verify-seconds gives it more time",
    ]);
  });

  test("with jobs in many shards that it does not have names some of them", () => {
    const outsiders = Array.from({ length: 12 }, (_, shard) => ({
      shard: shard === 0 ? undefined : shard,
      jobs: 100,
      notedShards: shard === 1 ? 16 : 0,
    }));
    const [found] = faults(checkQueue({ ...plain, shards: [shardOf({})], outsiders }));
    expect(found).toBe(
      "shards danger: 1,200 jobs lie where no worker with shards: 1, as noted, looks: " +
        "in shard that of the plain name, 1 (stored with shards: 16), 2, 3, 4, 5, 6, 7, 8, 9, 2 more",
    );
  });

  test("whose data cannot be read is a danger if it is not ours, and unknown otherwise", () => {
    const failure = { shard: undefined, server: "127.0.0.1:6379" };
    const found = checkQueue({
      ...plain,
      shardCount: 0,
      shards: [],
      failures: [
        { ...failure, isOurs: false, message: "version 9" },
        { ...failure, shard: 3, isOurs: true, message: "NOPERM" },
      ],
    });
    expect(faults(found)).toEqual([
      "data danger: version 9",
      "data unknown: shard 3: could not be looked at: NOPERM",
    ]);
  });
});
