/** Scenarios of several runs, joined; and what those runs have in common. */
import type { BenchResult, ScenarioResult } from "../support/result.ts";

export interface Measured {
  readonly scenario: ScenarioResult;
  readonly run: BenchResult;
}

/** Of each scenario the newest measurement: they need not all have been measured in one run. */
export function newestOfEach(results: readonly BenchResult[]): Measured[] {
  const newest = new Map<string, Measured>();
  for (const run of results.toSorted((first, second) => compare(first.date, second.date))) {
    for (const scenario of run.scenarios) {
      newest.set(scenario.name, { scenario, run });
    }
  }
  return [...newest.values()].toSorted((first, second) =>
    compare(first.scenario.name, second.scenario.name),
  );
}

/** By code points: the same on every machine. */
function compare(first: string, second: string): number {
  return first < second ? -1 : first > second ? 1 : 0;
}

export type RunFacts = ReadonlyMap<string, string>;

/** What is true of all the runs: the machine and the versions. */
export function commonFacts(runs: readonly BenchResult[]): RunFacts {
  const [first, ...others] = runs.map(factsOf);
  return new Map(
    [...(first ?? [])].filter(([name, value]) =>
      others.every((facts) => facts.get(name) === value),
    ),
  );
}

/** What is true of this run and not of all. */
export function ownFacts(run: BenchResult, common: RunFacts): RunFacts {
  return new Map([...factsOf(run)].filter(([name, value]) => common.get(name) !== value));
}

function factsOf({ date, isQuick, repeats, machine }: BenchResult): RunFacts {
  return new Map([
    ["date", `${date.slice(0, 16).replace("T", " ")} UTC`],
    ["repeats", String(repeats)],
    ...(isQuick ? [["size", "a quick run: to try the programs, not to be quoted"] as const] : []),
    ...Object.entries(machine).map(([name, value]) => [wordsOf(name), String(value)] as const),
  ]);
}

/** "serverVersion" is "server version". */
function wordsOf(name: string): string {
  return name.replaceAll(/(?<=[a-z])[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
}
