/** What a check says, and how bad it is. */

/**
 * - "ok": as it should be.
 * - "advice": jobs are safe, but something is worth a look.
 * - "unknown": the server does not tell, so nobody can say.
 * - "danger": jobs are being lost, or will be at the next restart, failover or shortage of memory; or
 *   holdfast cannot work here.
 */
export type Severity = "ok" | "advice" | "unknown" | "danger";

export interface Finding {
  /** Stable, for programs, such as "persistence". */
  readonly check: string;
  readonly severity: Severity;
  readonly message: string;
  /** What to do, unless all is well. */
  readonly remedy?: string;
}

export const ok = (check: string, message: string): Finding => ({ check, severity: "ok", message });

export const advice = (check: string, message: string, remedy: string): Finding => ({
  check,
  severity: "advice",
  message,
  remedy,
});

export const danger = (check: string, message: string, remedy: string): Finding => ({
  check,
  severity: "danger",
  message,
  remedy,
});

export const unknown = (check: string, message: string): Finding => ({
  check,
  severity: "unknown",
  message,
});

const BY_WEIGHT = ["ok", "unknown", "advice", "danger"] as const satisfies readonly Severity[];

export function worst(findings: readonly Finding[]): Severity {
  const weights = findings.map(({ severity }) => BY_WEIGHT.indexOf(severity));
  return BY_WEIGHT[Math.max(0, ...weights)]!;
}
