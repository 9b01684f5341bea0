/** What is judged of one server: its version, scripts, clock and cluster. Pure: facts in, findings out. */
import type { Known, ServerFacts } from "../../core/store/server-facts.ts";
import { advice, danger, type Finding, ok, unknown } from "./finding.ts";
import { checkMemory, checkPersistence, checkReplication } from "./storage-checks.ts";

type Info = ReadonlyMap<string, string>;

const MAX_CLOCK_OFFSET_MS = 5_000;
const ALL_SLOTS = "16384";

/** The first release of each line without the flaws in Lua of CVE-2025-49844 and its companions. */
const LUA_FIXED = {
  Redis: ["7.2.11", "7.4.6", "8.0.4", "8.2.2"],
  Valkey: ["7.2.11", "8.0.6", "8.1.4"],
} as const;
const FLOORS = { Redis: "7.0", Valkey: "7.2" } as const;

export function checkServer(facts: ServerFacts): Finding[] {
  const { info, settings } = facts;
  if ("hidden" in info) {
    const message = `INFO is hidden here (${info.hidden}), so this cannot be judged`;
    const judgedByInfo = ["version", "persistence", "memory", "replication"];
    return [
      ...judgedByInfo.map((check) => unknown(check, message)),
      ...checkScripts(facts),
      ...checkClock(facts),
    ];
  }
  return [
    ...checkVersion(info.value),
    ...checkScripts(facts),
    ...checkPersistence(info.value, settings),
    ...checkMemory(info.value),
    ...checkReplication(info.value),
    ...checkClock(facts),
    ...checkCluster(facts.cluster),
  ];
}

/** What a server calls itself. Others than Redis say `redis_version` as well, for compatibility. */
export function productOf(info: Info): { product: string; version: string | undefined } {
  for (const product of ["Valkey", "Dragonfly", "Garnet"]) {
    const version = info.get(`${product.toLowerCase()}_version`);
    if (version !== undefined) {
      return { product, version };
    }
  }
  return { product: "Redis", version: info.get("redis_version") };
}

function checkVersion(info: Info): Finding[] {
  const { product, version } = productOf(info);
  if (version === undefined) {
    return [unknown("version", "the server does not tell its version")];
  }
  const named = `${product} ${version}`;
  if (product !== "Redis" && product !== "Valkey") {
    const remedy = "run holdfast's integration tests against it before you rely on it";
    return [advice("version", `${named}: holdfast is tested on Redis and Valkey only`, remedy)];
  }
  if (compareVersions(version, FLOORS[product]) < 0) {
    const message = `${named}: holdfast needs Redis 7.0 or Valkey 7.2 or newer`;
    return [danger("version", message, "upgrade the server")];
  }
  const findings: Finding[] = [];
  if (isBefore(version, LUA_FIXED[product])) {
    const message = `${named}: the Lua of this release has known security flaws (CVE-2025-49844 and others)`;
    const fixed = LUA_FIXED[product].join(", ");
    const remedy = `upgrade to ${fixed} or newer, unless your distribution has mended this release`;
    findings.push(advice("version", message, remedy));
  }
  if (product === "Redis" && /^7\.4\.[0-2]$/.test(version)) {
    const message = `${named}: WAITAOF of this release may answer too early under appendfsync everysec`;
    findings.push(advice("version", message, "upgrade to 7.4.3 or newer"));
  }
  return findings.length > 0 ? findings : [ok("version", named)];
}

/** Whether a release is older than the first good one of its line, or of the next line that has one. */
function isBefore(version: string, firstGood: readonly string[]): boolean {
  const line = (text: string) => text.split(".").slice(0, 2).join(".");
  const floor = firstGood.find((good) => compareVersions(line(good), line(version)) >= 0);
  return floor !== undefined && compareVersions(version, floor) < 0;
}

function compareVersions(a: string, b: string): number {
  const [left, right] = [a, b].map((text) =>
    text.split(".").map((part) => parseInt(part, 10) || 0),
  );
  for (let at = 0; at < 3; at += 1) {
    const difference = (left?.[at] ?? 0) - (right?.[at] ?? 0);
    if (difference !== 0) {
      return difference;
    }
  }
  return 0;
}

function checkScripts({ scripts }: ServerFacts): Finding[] {
  return "value" in scripts
    ? [ok("scripts", "Lua scripts run")]
    : [
        danger(
          "scripts",
          `Lua scripts do not run, so holdfast cannot work: ${scripts.hidden}`,
          "allow SCRIPT LOAD, EVALSHA, EVAL and TIME to this user",
        ),
      ];
}

function checkClock({ clock }: ServerFacts): Finding[] {
  if ("hidden" in clock) {
    return [unknown("clock", `the server's clock cannot be read: ${clock.hidden}`)];
  }
  const { offsetMs, uncertaintyMs } = clock.value;
  const distanceMs = Math.abs(offsetMs);
  const message =
    distanceMs <= uncertaintyMs
      ? `the server's clock agrees with this machine's (± ${inSeconds(uncertaintyMs)})`
      : `the server's clock is ${inSeconds(distanceMs)} ${offsetMs < 0 ? "behind" : "ahead of"} ` +
        `this machine's (± ${inSeconds(uncertaintyMs)})`;
  return distanceMs - uncertaintyMs > MAX_CLOCK_OFFSET_MS
    ? [
        advice(
          "clock",
          message,
          "synchronise both (NTP, slewing): a runAt computed here is off by as much",
        ),
      ]
    : [ok("clock", message)];
}

function inSeconds(ms: number): string {
  return ms < 1_000 ? `${ms} ms` : `${(ms / 1_000).toFixed(1)} s`;
}

function checkCluster(cluster: Known<Info> | undefined): Finding[] {
  if (cluster === undefined) {
    return [];
  }
  if ("hidden" in cluster) {
    return [unknown("cluster", `CLUSTER INFO is hidden here: ${cluster.hidden}`)];
  }
  const info = cluster.value;
  const state = info.get("cluster_state");
  const served = info.get("cluster_slots_ok");
  const facts = `cluster state ${state}, ${served} of ${ALL_SLOTS} slots served`;
  if (state !== "ok") {
    const remedy = "mend the cluster: queues in slots that nobody serves stand still";
    return [danger("cluster", facts, remedy)];
  }
  return served === ALL_SLOTS
    ? [ok("cluster", facts)]
    : [advice("cluster", facts, "look at CLUSTER NODES: some primaries do not answer")];
}
