/** All findings on all that was looked at: the doctor's answer, of which text and JSON are two forms. */
import type { QueueStats } from "../../core/queue-results.ts";
import type { VerifyReport } from "../../core/model/verify-report.ts";
import { mergeReports } from "../../core/model/verify-report.ts";
import type { Facts, QueueFacts } from "./facts.ts";
import { advice, type Finding, type Severity, unknown, worst } from "./finding.ts";
import { checkQueue } from "./queue-checks.ts";
import { checkServer, productOf } from "./server-checks.ts";

/** The JSON document. A field may be added; one that is there keeps its meaning while `format` is 1. */
export interface Diagnosis {
  readonly format: 1;
  readonly severity: Severity;
  /** Of what concerns no single server or queue. */
  readonly findings: readonly Finding[];
  readonly servers: readonly {
    readonly address: string;
    readonly product: string | undefined;
    readonly version: string | undefined;
    readonly findings: readonly Finding[];
  }[];
  readonly queues: readonly {
    readonly name: string;
    /** Undefined for a queue that is not sharded. */
    readonly shards: number | undefined;
    /** Of all shards together, without the totals since the queue began. */
    readonly stats: Omit<QueueStats, "totals">;
    /** Undefined where no shard was audited. */
    readonly verify: VerifyReport | undefined;
    readonly findings: readonly Finding[];
  }[];
}

export function diagnose(facts: Facts, prefix: string, queue: string | undefined): Diagnosis {
  const findings = [...checkPrimaries(facts), ...checkSearch(facts, prefix, queue)];
  const servers = facts.servers.map(({ address, facts: server }) => {
    const info =
      "value" in server && "value" in server.value.info ? server.value.info.value : undefined;
    const named = info ? productOf(info) : { product: undefined, version: undefined };
    const serverFindings =
      "value" in server
        ? checkServer(server.value)
        : [unknown("connection", `this primary cannot be reached from here: ${server.hidden}`)];
    return { address, ...named, findings: serverFindings };
  });
  const queues = facts.queues.map((queueFacts) => ({
    name: queueFacts.name,
    shards: queueFacts.shardCount > 1 ? queueFacts.shardCount : undefined,
    stats: addUp(queueFacts),
    verify: mergeAudits(queueFacts),
    findings: checkQueue(queueFacts),
  }));
  const all = [...findings, ...[...servers, ...queues].flatMap((part) => part.findings)];
  return { format: 1, severity: worst(all), findings, servers, queues };
}

function checkPrimaries({ primaries }: Facts): Finding[] {
  return primaries && "hidden" in primaries
    ? [
        unknown(
          "cluster",
          `the other primaries are hidden here (CLUSTER SLOTS): ${primaries.hidden}`,
        ),
      ]
    : [];
}

function checkSearch(
  { search, queues }: Facts,
  prefix: string,
  queue: string | undefined,
): Finding[] {
  if ("hidden" in search) {
    return [unknown("queues", `queues cannot be searched for (SCAN): ${search.hidden}`)];
  }
  if (!search.value.isComplete) {
    const remedy = queue === undefined ? ": name the one you mean with --queue" : "";
    return [unknown("queues", `there are too many keys to search them all in time${remedy}`)];
  }
  if (queues.length > 0) {
    return [];
  }
  const what = queue === undefined ? "no queue" : `no queue ${JSON.stringify(queue)}`;
  const remedy = "a queue is there once its first job is; if it should be, look at url and prefix";
  return [advice("queues", `${what} under the prefix ${JSON.stringify(prefix)}`, remedy)];
}

function addUp({ shards }: QueueFacts): Omit<QueueStats, "totals"> {
  const sum = (count: (stats: QueueStats) => number) =>
    shards.reduce((total, { stats }) => total + count(stats), 0);
  const ages = shards.flatMap(({ stats }) => stats.oldestDueAgeMs ?? []);
  return {
    delayed: sum(({ delayed }) => delayed),
    due: sum(({ due }) => due),
    processing: sum(({ processing }) => processing),
    dead: sum(({ dead }) => dead),
    oldestDueAgeMs: ages.length === 0 ? undefined : Math.max(...ages),
    paused: shards.some(({ stats }) => stats.paused),
    waitingWorkers: Math.max(0, ...shards.map(({ stats }) => stats.waitingWorkers)),
  };
}

function mergeAudits({ shards }: QueueFacts): VerifyReport | undefined {
  const reports = shards.flatMap(({ verify }) => verify ?? []);
  return reports.length === 0 ? undefined : mergeReports(reports);
}
