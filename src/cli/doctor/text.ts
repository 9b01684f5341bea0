/** A diagnosis as text for a terminal, or for a file if it has no colours. */
import { styleText } from "node:util";
import type { Diagnosis } from "./diagnosis.ts";
import type { Finding, Severity } from "./finding.ts";

const LABELS: Readonly<
  Record<Severity, { label: string; colour: "green" | "yellow" | "red" | "cyan" }>
> = {
  ok: { label: "ok", colour: "green" },
  advice: { label: "advice", colour: "yellow" },
  unknown: { label: "unknown", colour: "cyan" },
  danger: { label: "DANGER", colour: "red" },
};
const INDENT = " ".repeat(25);

export function diagnosisText(diagnosis: Diagnosis, hasColours: boolean): string {
  const lines: string[] = [];
  const section = (title: string, findings: readonly Finding[]) => {
    lines.push(title, ...findings.map((finding) => findingText(finding, hasColours)), "");
  };
  for (const { address, product, version, findings } of diagnosis.servers) {
    const named = version === undefined ? "" : `, ${product} ${version}`;
    section(`Server ${address}${named}`, findings);
  }
  if (diagnosis.findings.length > 0) {
    section("In general", diagnosis.findings);
  }
  for (const { name, shards, stats, findings } of diagnosis.queues) {
    const parts = shards === undefined ? "" : ` in ${shards} shards`;
    const { delayed, due, processing, dead, waitingWorkers } = stats;
    const counts = `${delayed} delayed, ${due} due, ${processing} processing, ${dead} dead`;
    section(
      `Queue ${printable(name)}${parts}: ${counts}, ${waitingWorkers} workers waiting`,
      findings,
    );
  }
  lines.push(summary(diagnosis));
  return lines.join("\n");
}

function findingText({ check, severity, message, remedy }: Finding, hasColours: boolean): string {
  const { label, colour } = LABELS[severity];
  const padded = label.padEnd(8);
  const head = `  ${hasColours ? styleText(colour, padded, { validateStream: false }) : padded} ${check.padEnd(13)} `;
  const text = message.split("\n").map(printable).join(`\n${INDENT}`);
  return remedy === undefined ? `${head}${text}` : `${head}${text}\n${INDENT}-> ${remedy}`;
}

/** Whoever may write to Redis may choose names: a terminal must not take them for commands. */
function printable(text: string): string {
  return text.replaceAll(/\p{Cc}/gu, (character) => JSON.stringify(character).slice(1, -1));
}

function summary({ findings, servers, queues }: Diagnosis): string {
  const all = [...findings, ...[...servers, ...queues].flatMap((part) => part.findings)];
  const count = (severity: Severity) =>
    all.filter((finding) => finding.severity === severity).length;
  const dangers = count("danger");
  const verdict = dangers === 0 ? "No danger found" : `DANGER: ${dangers} found`;
  return `${verdict}; ${count("advice")} advice, ${count("unknown")} unknown, ${count("ok")} ok.`;
}
