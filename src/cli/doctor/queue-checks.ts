/** What is judged of one queue, its shards together. Pure: facts in, findings out. */
import { formatVerifyReport, mergeReports } from "../../core/model/verify-report.ts";
import type { QueueFacts, ShardFacts } from "./facts.ts";
import { advice, danger, type Finding, ok, unknown } from "./finding.ts";

/** Work that has been due for longer has too few workers, or none. */
const MAX_DUE_AGE_MS = 60_000;
const LISTED_BREACHES = 3;
const LISTED_SHARDS = 10;

export function checkQueue(queue: QueueFacts): Finding[] {
  const { shards, failures } = queue;
  const failed = failures.map(({ shard, isOurs, message }) => {
    const where = shard === undefined ? "" : `shard ${shard}: `;
    const remedy = "upgrade holdfast here, or choose another queue name or prefix";
    return isOurs
      ? unknown("data", `${where}could not be looked at: ${message}`)
      : danger("data", `${where}${message}`, remedy);
  });
  if (shards.length === 0) {
    return failed;
  }
  return [
    ...failed,
    ...(failed.length > 0 ? [] : [ok("data", "the data is of a version that this release knows")]),
    ...checkOutsiders(queue),
    ...checkMark(queue),
    checkWork(shards),
    ...checkPaused(shards),
    checkDead(shards),
    checkAudit(shards),
  ];
}

/** They belong to another number of shards than the queue has. */
function checkOutsiders({ outsiders, shardCount }: QueueFacts): Finding[] {
  if (outsiders.length === 0) {
    return [];
  }
  const jobs = outsiders.reduce((sum, outsider) => sum + outsider.jobs, 0);
  const listed = outsiders.slice(0, LISTED_SHARDS).map(({ shard, notedShards }) => {
    const place = shard === undefined ? "that of the plain name" : `${shard}`;
    return notedShards > 0 ? `${place} (stored with shards: ${notedShards})` : place;
  });
  const more = outsiders.length > listed.length ? [`${outsiders.length - listed.length} more`] : [];
  const where = [...listed, ...more].join(", ");
  const noted = `where no worker with shards: ${Math.max(shardCount, 1)}, as noted, looks`;
  return [
    danger(
      "shards",
      `${whole(jobs)} ${jobs === 1 ? "job lies" : "jobs lie"} ${noted}: in shard ${where}`,
      "drain the queue, start it with the number of shards that they were stored with, drain it " +
        "again, then change the number as docs/operations.md says",
    ),
  ];
}

function checkMark({ isMarked, shardCount }: QueueFacts): Finding[] {
  const noted = Math.max(shardCount, 1);
  return isMarked
    ? [
        advice(
          "shards",
          `the number of shards, noted as ${noted}, is being changed, or a process died while it did so`,
          `look again; if this stays, call stats() on a new Queue with shards: ${noted}, which completes it`,
        ),
      ]
    : [];
}

function checkWork(shards: readonly ShardFacts[]): Finding {
  const due = total(shards, "due");
  const oldestMs = Math.max(0, ...shards.map(({ stats }) => stats.oldestDueAgeMs ?? 0));
  const workers = total(shards, "waitingWorkers");
  if (due === 0) {
    return ok("due", "no job is waiting for a worker");
  }
  const message = `${whole(due)} jobs due, the oldest for ${inWords(oldestMs)}`;
  if (oldestMs <= MAX_DUE_AGE_MS || shards.every(({ stats }) => stats.paused)) {
    return ok("due", message);
  }
  const isIdle = workers === 0 && total(shards, "processing") === 0;
  return isIdle
    ? advice("due", `${message}, and no worker is there`, "start workers for this queue")
    : advice("due", message, "add workers, or look at worker.health()");
}

function checkPaused(shards: readonly ShardFacts[]): Finding[] {
  const paused = shards.filter(({ stats }) => stats.paused).length;
  if (paused === 0) {
    return [];
  }
  const message =
    paused === shards.length ? "paused" : `paused in ${paused} of ${shards.length} shards`;
  return [advice("paused", `${message}: nothing is claimed`, "queue.resume() ends it")];
}

function checkDead(shards: readonly ShardFacts[]): Finding {
  const dead = total(shards, "dead");
  return dead === 0
    ? ok("dead", "no dead letters")
    : advice(
        "dead",
        `${whole(dead)} dead ${dead === 1 ? "letter" : "letters"}`,
        "queue.dead.list() tells why; mend the cause, then redrive() or purge() them",
      );
}

function checkAudit(shards: readonly ShardFacts[]): Finding {
  const reports = shards.flatMap(({ verify }) => verify ?? []);
  const report = mergeReports(reports);
  const text = formatVerifyReport(report, { maxBreaches: LISTED_BREACHES });
  if (report.breachCount > 0) {
    return danger("verify", text, "find out who else writes to these keys, then repair");
  }
  if (!report.isComplete || reports.length < shards.length) {
    const stored = shards.map(
      ({ stats }) => stats.delayed + stats.due + stats.processing + stats.dead,
    );
    const all = stored.reduce((sum, jobs) => sum + jobs, 0);
    const message = `not audited to the end: no breach in ${whole(report.jobs)} of about ${whole(all)} jobs`;
    return unknown("verify", `${message}; --verify-seconds gives it more time`);
  }
  return report.unknownCount > 0 ? unknown("verify", text) : ok("verify", text);
}

function total(
  shards: readonly ShardFacts[],
  field: "due" | "processing" | "dead" | "waitingWorkers",
): number {
  return shards.reduce((sum, { stats }) => sum + stats[field], 0);
}

function inWords(ms: number): string {
  const seconds = Math.round(ms / 1_000);
  if (seconds < 120) {
    return `${seconds} s`;
  }
  const minutes = Math.round(seconds / 60);
  return minutes < 120 ? `${minutes} min` : `${Math.round(minutes / 60)} h`;
}

function whole(count: number): string {
  return count.toLocaleString("en-US");
}
