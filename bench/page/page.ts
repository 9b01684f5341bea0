/** docs/benchmarks.md and its charts, from the figures and from the words of template.md. */
import { groupBy } from "../support/figures.ts";
import { rangeText, readable, timesText } from "../support/numbers.ts";
import type { BenchResult, ScenarioResult } from "../support/result.ts";
import { summaryLine } from "../support/table.ts";
import {
  judge,
  type ScenarioTargets,
  unmeasured,
  type UnmeasuredTarget,
} from "../support/targets.ts";
import { type Chart, chartsOf } from "./charts.ts";
import { markdownTable } from "./markdown.ts";
import { commonFacts, type Measured, newestOfEach } from "./measured.ts";
import { absentText, sectionText } from "./section.ts";
import { type Win, winsOfPeers } from "./wins.ts";

export interface Page {
  readonly text: string;
  readonly charts: readonly Chart[];
}

/**
 * Fills the places that the template names: `<!-- figures: <scenario> -->`, `<!-- summary -->`,
 * `<!-- machine -->` and `<!-- wins -->`.
 *
 * @param defined what the scenarios must reach: a target without figures is shown as not measured
 * @throws Error if the template has no place for a scenario, or knows a place that there is not
 */
export function renderPage(
  template: string,
  results: readonly BenchResult[],
  defined: readonly ScenarioTargets[] = [],
): Page {
  const measured = newestOfEach(results).map((one) => judgedAnew(one, defined));
  const scenarios = measured.map(({ scenario }) => scenario);
  const common = commonFacts([...new Set(measured.map(({ run }) => run))]);
  const charts = new Map(scenarios.map((scenario) => [scenario.name, chartsOf(scenario)]));
  const missing = missingTargets(scenarios, defined);
  const missingOf = (name: string) =>
    missing.flatMap((one) => (one.name === name ? [one.target] : []));
  const sections = measured.map((one): [string, string] => {
    const { name } = one.scenario;
    const facts = { charts: charts.get(name) ?? [], common, missing: missingOf(name) };
    return [`figures: ${name}`, sectionText(one, facts)];
  });
  const absent = defined
    .filter(({ name }) => !charts.has(name))
    .map(({ name }): [string, string] => [`figures: ${name}`, absentText(name, missingOf(name))]);
  const places = new Map([
    ...sections,
    ...absent,
    ["summary", summaryText(scenarios, missing)],
    ["machine", markdownTable([["", ""], ...common], 2)],
    ["wins", winsText(winsOfPeers(scenarios))],
  ]);
  return { text: fill(template, places), charts: [...charts.values()].flat() };
}

/** By what a scenario must reach today, which may not be what it had to when it was measured. */
function judgedAnew({ scenario, run }: Measured, defined: readonly ScenarioTargets[]): Measured {
  const { targets } = defined.find(({ name }) => name === scenario.name) ?? scenario;
  return { scenario: { ...scenario, targets: judge(targets, scenario.figures) }, run };
}

function fill(template: string, places: ReadonlyMap<string, string>): string {
  const unfilled = new Set(places.keys());
  const text = template.replaceAll(/^<!-- ([\w: -]+) -->$/gm, (mark, name: string) => {
    unfilled.delete(name);
    const scenario = /^figures: (.+)$/.exec(name)?.[1];
    const absent = scenario && absentText(scenario, []);
    const content = places.get(name) ?? absent;
    if (content === undefined) {
      throw new Error(`the template of the page asks for what there is not: ${mark}`);
    }
    return content;
  });
  if (unfilled.size > 0) {
    throw new Error(
      `bench/page/template.md has no place for ${[...unfilled].map((name) => `<!-- ${name} -->`).join(", ")}`,
    );
  }
  return text;
}

interface MissingTarget {
  /** Of the scenario. */
  readonly name: string;
  readonly target: UnmeasuredTarget;
}

function missingTargets(
  scenarios: readonly ScenarioResult[],
  defined: readonly ScenarioTargets[],
): MissingTarget[] {
  const figuresOf = new Map(scenarios.map(({ name, figures }) => [name, figures]));
  return defined.flatMap((scenario) => {
    const { name } = scenario;
    return unmeasured(scenario, figuresOf.get(name) ?? []).map((target) => ({ name, target }));
  });
}

function summaryText(
  scenarios: readonly ScenarioResult[],
  missing: readonly MissingTarget[],
): string {
  const missed = scenarios.flatMap(({ name, targets }) =>
    targets.filter(({ isMet }) => !isMet).map((target) => ({ name, target })),
  );
  const missedLines = missed.map(
    ({ name, target: { text, median, against } }) =>
      `- missed in [${name}](#${name}): ${text}; it is ${readable(median)}${against ? "×" : ""}`,
  );
  const unmeasuredLines = [...groupBy(missing, ({ name }) => name)].map(
    ([name, { length }]) =>
      `- not measured in [${name}](#${name}): ${length} target${length === 1 ? "" : "s"}`,
  );
  const lines = [...missedLines, ...unmeasuredLines];
  const summary = summaryLine(scenarios, missing.length);
  return [summary, ...(lines.length > 0 ? [lines.join("\n")] : [])].join("\n\n");
}

function winsText(wins: readonly Win[]): string {
  const clear = wins.filter(({ isClear }) => isClear);
  const unclear = wins.filter(({ isClear }) => !isClear);
  const table = markdownTable(
    [["", "", "peer", "holdfast", "the peer", "holdfast ÷ peer"], ...clear.map(winLine)],
    3,
  );
  const list = unclear.map(
    ({ scenario, row, metric, peer, ratio }) =>
      `- ${[scenario, row, metric].filter(Boolean).join(", ")}: ${peer} (holdfast is ${timesText(ratio.median)} of it, ${rangeText(ratio)})`,
  );
  return [
    clear.length > 0 ? table : "In no figure of these runs was a peer ahead in every repeat.",
    ...(list.length > 0 ? ["Ahead in the median, but not in every repeat:", list.join("\n")] : []),
  ].join("\n\n");
}

function winLine({ scenario, row, metric, unit, peer, own, other, ratio }: Win): string[] {
  return [
    `[${scenario}](#${scenario})${row && `, ${row}`}`,
    `${metric}, ${unit}`,
    peer,
    `${readable(own.median)} (${rangeText(own)})`,
    `${readable(other.median)} (${rangeText(other)})`,
    `${timesText(ratio.median)} (${rangeText(ratio)})`,
  ];
}
