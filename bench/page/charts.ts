/** Which figures are worth a picture. What is not named here stands in its table alone. */
import { type FigureGroup, groupFigures, isHigherBetter, isOfPeer } from "../support/figures.ts";
import type { ScenarioResult } from "../support/result.ts";
import { barChart } from "./bar-chart.ts";
import { dotChart } from "./dot-chart.ts";
import { lineChart } from "./line-chart.ts";

interface ChartPlan {
  readonly scenario: string;
  /** Tells it from other charts of the scenario. */
  readonly suffix?: string;
  readonly title: string;
  readonly metrics: RegExp;
  readonly draw: typeof barChart;
}

export interface Chart {
  /** Without a folder. */
  readonly file: string;
  readonly title: string;
  readonly svg: string;
}

const perSecond = /^jobs a second$/;
const serverCpu = /^server CPU a job$/;
const cpu = /\bCPU a job$/;
const percentiles = /^p\d/;

const plans: readonly ChartPlan[] = [
  { scenario: "process", title: "Jobs processed a second", metrics: perSecond, draw: barChart },
  {
    scenario: "process",
    suffix: "cpu",
    title: "CPU time of the server for a processed job",
    metrics: serverCpu,
    draw: barChart,
  },
  { scenario: "enqueue", title: "Jobs enqueued a second", metrics: perSecond, draw: barChart },
  {
    scenario: "life-cycle",
    title: "CPU time of a job, enqueue to ack",
    metrics: cpu,
    draw: barChart,
  },
  {
    scenario: "lateness",
    title: "Lateness: start of the handler minus due time",
    metrics: percentiles,
    draw: dotChart,
  },
  {
    scenario: "poll",
    title: "Cost of a claim by the number of delayed jobs",
    metrics: /^server CPU, /,
    draw: lineChart,
  },
  {
    scenario: "pick-up",
    title: "From enqueue to handler on an idle queue",
    metrics: percentiles,
    draw: dotChart,
  },
  { scenario: "memory", title: "Memory of a delayed job", metrics: /./, draw: barChart },
  {
    scenario: "recovery",
    title: "From SIGKILL to all jobs redelivered",
    metrics: /./,
    draw: barChart,
  },
  { scenario: "fleet", title: "Fifty idle workers", metrics: /./, draw: barChart },
  {
    scenario: "network",
    suffix: "throughput",
    title: "Jobs processed a second, 1 ms of added round trip",
    metrics: perSecond,
    draw: barChart,
  },
  {
    scenario: "network",
    suffix: "times",
    title: "Lateness and pick-up, 1 ms of added round trip",
    metrics: percentiles,
    draw: dotChart,
  },
];

export function chartsOf({ name, figures }: ScenarioResult): Chart[] {
  const groups = groupFigures(figures.filter(isOfPeer));
  return plans
    .filter(({ scenario }) => scenario === name)
    .flatMap(({ suffix, title, metrics, draw }) => {
      const chosen = groups.filter(({ metric }) => metrics.test(metric));
      if (chosen.length === 0) {
        return [];
      }
      const file = `${[name, suffix].filter(Boolean).join("-")}.svg`;
      return [{ file, title, svg: draw(chosen, { title, subtitle: subtitleOf(chosen) }) }];
    });
}

function subtitleOf(groups: readonly FigureGroup[]): string {
  const counts = groups.flatMap(({ byPeer }) =>
    [...byPeer.values()].map(({ samples }) => samples.length),
  );
  const [fewest, most] = [Math.min(...counts), Math.max(...counts)];
  const samples =
    most === 1 ? "One sample" : `Medians of ${fewest < most ? `${fewest} to ` : ""}${most} samples`;
  const isRate = groups.map(({ metric }) => isHigherBetter(metric));
  const better = isRate.every(Boolean)
    ? " More is better."
    : isRate.some(Boolean)
      ? ""
      : " Less is better.";
  return `${samples}; whiskers reach from the smallest to the largest.${better}`;
}
