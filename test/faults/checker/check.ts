/** Judges the evidence of a soak: every rule of holdfast's promise that it breaks, or nothing. */
import { checkAccounts } from "./accounts.ts";
import type { Evidence, Violation } from "./evidence.ts";
import { checkFates } from "./fates.ts";
import { jobHistories } from "./job-history.ts";
import { checkLeases } from "./leases.ts";
import { checkTimes } from "./times.ts";

export function check(evidence: Evidence): Violation[] {
  const jobs = jobHistories(evidence.entries);
  const histories = [...jobs.values()];
  return [
    ...checkFates(jobs, evidence.end),
    ...histories.flatMap(checkLeases),
    ...histories.flatMap(checkTimes),
    ...checkAccounts(histories, evidence),
    ...checkRun(evidence),
  ];
}

/** What is about no single job. */
function checkRun({ entries, end }: Evidence): Violation[] {
  const violations: Violation[] = [];
  const add = (rule: Violation["rule"], message: string, id?: string) =>
    violations.push({ rule, id, message });
  if (!end.hasDrained) {
    add("not drained", "jobs were still delayed, due or processing when all should have run");
  }
  if (!end.audit.isSound && end.audit.breaches.length === 0) {
    add("audit", "the last audit could not examine all");
  }
  for (const { id, kind } of end.audit.breaches) {
    add("audit", `the last audit found a breach: ${kind}`, id);
  }
  for (const entry of entries) {
    if (entry.kind === "audit") {
      for (const { id, kind } of entry.breaches) {
        add("audit", `an audit beside the workers found a breach: ${kind}`, id);
      }
    } else if (entry.kind === "crash") {
      add("process failed", `${entry.target} ended by itself: ${entry.how}`);
    } else if (entry.kind === "deaf") {
      add("process failed", `${entry.target} did not look for jobs again after all was healed`);
    }
  }
  return violations;
}
