/** What a person reads after a soak. */
import type { Violation } from "../checker/evidence.ts";
import type { Entry } from "../history/lines.ts";
import type { Figures, Percentiles } from "./figures.ts";

const MAX_VIOLATIONS_SHOWN = 10;
const LABEL_WIDTH = 34;

export function figuresTable(figures: Figures): string {
  const { jobs, totals, faults, recoveryMs, errorsSeen } = figures;
  const row = (label: string, value: string | number) => `  ${label.padEnd(LABEL_WIDTH)} ${value}`;
  const rows = (counts: Readonly<Record<string, number>>) =>
    Object.entries(counts).map(([name, count]) => row(name, count));
  return [
    "Jobs",
    row("enqueued and confirmed", jobs.confirmed),
    row("lost", jobs.lost),
    row("run to the end again (duplicates)", jobs.duplicates),
    row("stored again by a late copy", jobs.storedAgain),
    row("never confirmed", jobs.unconfirmed),
    row("deliveries", jobs.deliveries),
    row("leases that expired", jobs.expiredLeases),
    row("handlers told of a lost lease", jobs.toldOfLoss),
    row("outcomes refused as too late", jobs.refusedOutcomes),
    row("dead letters left", jobs.deadAtEnd),
    "Totals of the queue",
    ...rows(totals),
    "Faults",
    ...rows(faults),
    row("cuts that found no call", figures.cutsWithoutCall),
    "Errors reported by holdfast",
    ...rows(errorsSeen),
    "Recovery, ms (p50 / p99 / max, of how many); other faults strike meanwhile",
    row("holder killed, to given back", spread(recoveryMs.killedGivenBack)),
    row("holder killed, to next start", spread(recoveryMs.killedStarted)),
    row("holder stopped, to given back", spread(recoveryMs.stoppedGivenBack)),
    row("holder stopped, to next start", spread(recoveryMs.stoppedStarted)),
    row("Redis back, to next start of any", spread(recoveryMs.redisBackToNextStart)),
  ].join("\n");
}

function spread({ count, p50, p99, max }: Percentiles): string {
  return count === 0 ? "none" : `${p50} / ${p99} / ${max}, of ${count}`;
}

/** The first violations, each with all that was written about its job. */
export function violationsText(
  violations: readonly Violation[],
  entries: readonly Entry[],
): string {
  const shown = violations.slice(0, MAX_VIOLATIONS_SHOWN).map((violation) => {
    const { rule, id, message } = violation;
    const lines = id === undefined ? [] : historyOf(id, entries);
    return [`${rule}${id === undefined ? "" : ` (${id})`}: ${message}`, ...lines].join("\n    ");
  });
  const hidden = violations.length - shown.length;
  return [...shown, ...(hidden > 0 ? [`and ${hidden} more`] : [])].join("\n");
}

function historyOf(id: string, entries: readonly Entry[]): string[] {
  return entries
    .filter((entry) => ("id" in entry && entry.id === id) || isHeld(entry, id))
    .map(
      ({ at, life, ...line }) => `${new Date(at).toISOString()} ${life} ${JSON.stringify(line)}`,
    );
}

function isHeld(entry: Entry, id: string): boolean {
  return entry.kind === "hold" && entry.leases.some(([heldId]) => heldId === id);
}
