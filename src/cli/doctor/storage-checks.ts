/** Whether a server keeps what it is given: on disk, in memory, on replicas. Pure. */
import type { Known } from "../../core/store/server-facts.ts";
import { advice, danger, type Finding, ok, unknown } from "./finding.ts";

type Info = ReadonlyMap<string, string>;

const NEARLY_FULL = 0.9;
const MAX_REPLICA_LAG_SECONDS = 10;

export function checkPersistence(info: Info, settings: Known<Info>): Finding[] {
  return [...checkAof(info, settings), ...checkSnapshots(info)];
}

function checkAof(info: Info, settings: Known<Info>): Finding[] {
  const check = "persistence";
  const aof = info.get("aof_enabled");
  if (aof === undefined) {
    return [unknown(check, "the server does not tell whether it writes to disk")];
  }
  if (aof === "0") {
    return [withoutAof(settings)];
  }
  const written = info.get("aof_last_write_status");
  if (written !== undefined && written !== "ok") {
    const message = `the last write to the AOF failed (aof_last_write_status ${written}): jobs are not on disk`;
    return [danger(check, message, "free disk space, and look at the server's log")];
  }
  const rewritten = info.get("aof_last_bgrewrite_status");
  const findings =
    rewritten === undefined || rewritten === "ok"
      ? []
      : [
          advice(
            check,
            `the last rewrite of the AOF failed (aof_last_bgrewrite_status ${rewritten}): the file only grows`,
            "look at the server's log",
          ),
        ];
  return [fsyncFinding(settings), ...findings];
}

function fsyncFinding(settings: Known<Info>): Finding {
  const check = "persistence";
  const fsync = "value" in settings ? settings.value.get("appendfsync") : undefined;
  switch (fsync) {
    case "always":
      return ok(check, "AOF, appendfsync always: a confirmed job is on disk");
    case "everysec":
      return ok(
        check,
        "AOF, appendfsync everysec: a crash of the machine may lose the last second",
      );
    case "no":
      return advice(
        check,
        "AOF, appendfsync no: a crash of the machine may lose the last half minute",
        "set appendfsync everysec, or always",
      );
    default:
      return unknown(check, "AOF is on, but appendfsync is hidden here (CONFIG GET)");
  }
}

function withoutAof(settings: Known<Info>): Finding {
  const check = "persistence";
  const save = "value" in settings ? settings.value.get("save") : undefined;
  if (save === undefined) {
    return unknown(
      check,
      "AOF is off, and whether snapshots are taken is hidden here (CONFIG GET save)",
    );
  }
  const remedy = "set appendonly yes";
  return save === ""
    ? danger(check, "neither AOF nor snapshots: a restart loses every job", remedy)
    : advice(check, `snapshots only (save ${save}): a crash loses the jobs since the last`, remedy);
}

function checkSnapshots(info: Info): Finding[] {
  const status = info.get("rdb_last_bgsave_status");
  return status === undefined || status === "ok"
    ? []
    : [
        danger(
          "persistence",
          `the last snapshot failed (rdb_last_bgsave_status ${status}); the server may refuse all writes`,
          "free disk space and memory, and look at the server's log",
        ),
      ];
}

export function checkMemory(info: Info): Finding[] {
  return [checkEviction(info), checkRoom(info)];
}

function checkEviction(info: Info): Finding {
  const policy = info.get("maxmemory_policy");
  if (policy === undefined) {
    return unknown("eviction", "the server does not tell its maxmemory-policy");
  }
  if (policy.startsWith("allkeys")) {
    const message = `maxmemory-policy ${policy}: the server deletes whole queues when memory is short`;
    return danger("eviction", message, "set maxmemory-policy noeviction");
  }
  const harmless =
    policy === "noeviction" ? "" : ", which spares holdfast's keys: none has a time to live";
  return ok("eviction", `maxmemory-policy ${policy}${harmless}`);
}

function checkRoom(info: Info): Finding {
  const [used, max] = [info.get("used_memory"), info.get("maxmemory")].map(Number);
  if (!Number.isFinite(used) || !Number.isFinite(max)) {
    return unknown("memory", "the server does not tell its memory");
  }
  const [usedBytes, maxBytes] = [used as number, max as number];
  if (maxBytes === 0) {
    return advice(
      "memory",
      `${inMebibytes(usedBytes)} used, and no maxmemory: when the machine runs out, the system kills the server`,
      "set maxmemory below the machine's memory: then only new jobs are refused",
    );
  }
  const share = usedBytes / maxBytes;
  const message = `${inMebibytes(usedBytes)} of ${inMebibytes(maxBytes)} used (${Math.floor(share * 100)} %)`;
  return share > NEARLY_FULL
    ? danger("memory", `${message}: soon new jobs are refused`, "raise maxmemory, or drain queues")
    : ok("memory", message);
}

function inMebibytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toLocaleString("en-US", { maximumFractionDigits: 1 })} MiB`;
}

export function checkReplication(info: Info): Finding[] {
  const check = "replication";
  const role = info.get("role");
  if (role === undefined) {
    return [unknown(check, "the server does not tell its role")];
  }
  if (role !== "master") {
    const link = info.get("master_link_status") ?? "unknown";
    const message = `this is a replica (its link to the primary is ${link}): it takes no jobs`;
    return [danger(check, message, "connect to the primary")];
  }
  const replicas = [...info]
    .filter(([field]) => /^slave\d+$/.test(field))
    .map(
      ([, value]) => new Map(value.split(",").map((pair) => pair.split("=") as [string, string])),
    );
  if (replicas.length === 0) {
    const message = "a primary without replicas: if its disk is lost, its jobs are lost";
    return [advice(check, message, "add a replica if that matters to you")];
  }
  const lagging = replicas.filter(
    (replica) =>
      replica.get("state") !== "online" || Number(replica.get("lag")) > MAX_REPLICA_LAG_SECONDS,
  );
  const message = `a primary with ${replicas.length === 1 ? "1 replica" : `${replicas.length} replicas`}`;
  return lagging.length === 0
    ? [ok(check, message)]
    : [
        advice(
          check,
          `${message}, of which ${lagging.length} lag behind: a failover to them loses jobs`,
          "look at INFO replication",
        ),
      ];
}
