/** The charts of the benchmarks page: well-formed, true to the figures, and nothing cut off. */
import { describe, expect, test } from "vitest";
import { barChart } from "../../bench/page/bar-chart.ts";
import { chartsOf } from "../../bench/page/charts.ts";
import { dotChart } from "../../bench/page/dot-chart.ts";
import { lineChart } from "../../bench/page/line-chart.ts";
import { groupFigures } from "../../bench/support/figures.ts";
import type { Figure } from "../../bench/support/result.ts";
import { allElements, labels, ofClass, readSvg, type SvgElement } from "../helpers/read-svg.ts";

const head = { title: "A title", subtitle: "What it shows" };

function figure(row: string, metric: string, peer: string, samples: number[]): Figure {
  return { row, metric, unit: metric === "jobs a second" ? "jobs/s" : "ms", peer, samples };
}

function draw(chart: typeof barChart, figures: readonly Figure[]): SvgElement {
  return readSvg(chart(groupFigures(figures), head));
}

const number = (element: SvgElement, name: string) => Number(element.attributes[name]);

/** All of it lies within the picture, by a generous width of its letters. */
function expectNothingCutOff(svg: SvgElement): void {
  const [width, height] = [number(svg, "width"), number(svg, "height")];
  const visit = (element: SvgElement, left: number, top: number) => {
    const [, dx = 0, dy = 0] =
      /^translate\((.+),(.+)\)$/.exec(element.attributes["transform"] ?? "")?.map(Number) ?? [];
    const [x, y] = [left + dx, top + dy];
    if (element.name === "text") {
      const size = Number(element.attributes["font-size"] ?? 12);
      const length = element.text.length * size * 0.62;
      const anchor = { start: 0, middle: 0.5, end: 1 }[
        element.attributes["text-anchor"] ?? "start"
      ]!;
      const start = x + number(element, "x") - anchor * length;
      expect(start, `where "${element.text}" is`).toBeGreaterThanOrEqual(0);
      expect(start + length, `where "${element.text}" is`).toBeLessThanOrEqual(width);
      expect(y + number(element, "y"), `where "${element.text}" is`).toBeLessThanOrEqual(
        height - 4,
      );
    }
    for (const child of element.children) {
      visit(child, x, y);
    }
  };
  visit(svg, 0, 0);
}

describe("bars", () => {
  const figures = [
    figure("concurrency 1", "jobs a second", "bullmq", [7_000, 8_000, 7_500]),
    figure("concurrency 1", "jobs a second", "holdfast", [10_000, 20_000, 15_000]),
    figure("concurrency 100", "jobs a second", "holdfast", [100_000, 130_000, 120_000]),
    figure("concurrency 100", "jobs a second", "bullmq", [14_000, 16_000, 15_000]),
  ];
  const svg = draw(barChart, figures);

  test("are as long as the medians are large, with whiskers from the smallest to the largest", () => {
    const bars = ofClass(svg, "bar");
    const perPixel = bars.map(
      (bar, index) => [15_000, 7_500, 120_000, 15_000][index]! / number(bar, "width"),
    );
    expect(Math.max(...perPixel) / Math.min(...perPixel)).toBeLessThan(1.001);
    const whiskers = ofClass(svg, "whisker").map(({ attributes }) =>
      /^M([\d.]+),.*H([\d.]+)m/
        .exec(attributes["d"] ?? "")!
        .slice(1)
        .map(Number),
    );
    const left = number(bars[0]!, "x");
    const values = whiskers.map((ends) => ends.map((x) => Math.round((x - left) * perPixel[0]!)));
    const expected = [
      [10_000, 20_000],
      [7_000, 8_000],
      [100_000, 130_000],
      [14_000, 16_000],
    ];
    expect(values.flat().map((value, index) => value / expected.flat()[index]!)).toEqual(
      expected.flat().map(() => expect.closeTo(1, 2)),
    );
  });

  test("carry their peers, rows, values, the unit and a tooltip", () => {
    const heading = ["A title", "What it shows"];
    const axis = ["0", "25K", "50K", "75K", "100K", "125K", "jobs/s"];
    const first = ["concurrency 1", "holdfast", "15,000", "bullmq", "7,500"];
    const second = ["concurrency 100", "holdfast", "120,000", "bullmq", "15,000"];
    expect(labels(svg)).toEqual(heading.concat(axis, "jobs a second", first, second));
    const tooltips = allElements(svg).filter(({ name }) => name === "title");
    expect(tooltips.map(({ text }) => text).slice(0, 2)).toEqual([
      "A title",
      "holdfast, concurrency 1: 15,000 jobs/s (10–20K)",
    ]);
  });

  test("tell a reader's program what they are, whatever characters that takes", () => {
    const words = { title: 'Less than <10 kB> & "fast"', subtitle: "a < b" };
    const strange = readSvg(barChart(groupFigures(figures), words));
    expect(strange.attributes).toMatchObject({ role: "img", "aria-label": words.title });
    expect(strange.children.slice(0, 2).map(({ name, text }) => [name, text])).toEqual([
      ["title", words.title],
      ["desc", words.subtitle],
    ]);
  });

  test("keep one colour a peer, whoever else is there", () => {
    const [ours, theirs] = ofClass(svg, "bar").map((bar) => bar.attributes["fill"]);
    const alone = ofClass(draw(barChart, figures.slice(0, 1)), "bar");
    expect(alone.map((bar) => bar.attributes["fill"])).toEqual([theirs]);
    expect(ours).not.toBe(theirs);
  });

  test("of metrics of different units have axes of their own", () => {
    const fleet = draw(barChart, [
      figure("50 workers", "commands", "holdfast", [12]),
      { ...figure("50 workers", "CPU", "holdfast", [60]), unit: "µs" },
    ]);
    const [first, second] = ofClass(fleet, "bar").map((bar) => number(bar, "width"));
    expect(labels(fleet)).toEqual(expect.arrayContaining(["ms", "µs", "commands", "CPU"]));
    expect(Math.abs(first! - second!)).toBeLessThan(1);
  });
});

test("no text is cut off, with a single bar or many, with long names and large numbers", () => {
  const peers = ["holdfast", "bullmq", "bee-queue", "floor", "holdfast@abc1234", "other"];
  const rows = Array.from({ length: 12 }, (_, row) => `row ${row}, with <10 kB> & "a lot" to say`);
  const many = rows.flatMap((row, index) =>
    peers.map((peer) => figure(row, "jobs a second", peer, [1_234_567 * index, 2_345_678, 9])),
  );
  expect(ofClass(draw(barChart, many), "bar")).toHaveLength(rows.length * peers.length);
  expectNothingCutOff(draw(barChart, many));
  expectNothingCutOff(draw(barChart, [figure("", "jobs a second", "holdfast", [0])]));
  const times = rows.flatMap((row) =>
    ["p50", "p99", "p99.9"].flatMap((metric, index) =>
      peers.map((peer) => figure(row, metric, peer, [index, 10 ** index, 12_345])),
    ),
  );
  expectNothingCutOff(draw(dotChart, times));
  expectNothingCutOff(draw(dotChart, [figure("1/s", "p50", "holdfast", [0, 0])]));
  const sizes = ["1,000 delayed", "10,000,000 delayed"].flatMap((row) =>
    [1, 10, 100, 1_000].flatMap((batch) =>
      peers.map((peer) => figure(row, `CPU a claim, batch ${batch}`, peer, [1_000, 2_000])),
    ),
  );
  expectNothingCutOff(draw(lineChart, sizes));
});

test("dots stand at the medians of a logarithmic axis, zeros at its beginning", () => {
  const svg = draw(dotChart, [
    figure("1,000/s", "p50", "holdfast", [0, 0, 1]),
    figure("1,000/s", "p99", "holdfast", [1, 1, 10]),
    figure("1,000/s", "p50", "bullmq", [10, 10, 10]),
    figure("1,000/s", "p99", "bullmq", [100, 90, 110]),
  ]);
  const places = ofClass(svg, "point").map(({ attributes }) =>
    Number(/\((.+),/.exec(attributes["transform"] ?? "")?.[1]),
  );
  const [zero, one, ten, hundred] = places as [number, number, number, number];
  expect([one - zero, ten - one]).toEqual([
    expect.closeTo(hundred - ten),
    expect.closeTo(one - zero),
  ]);
  const whisker = ofClass(svg, "whisker")[1]!;
  expect([number(whisker, "x1"), number(whisker, "x2")]).toEqual([one, ten]);
  const texts = labels(svg);
  expect(texts).toEqual(
    expect.arrayContaining(["p50", "p99", "1,000/s", "0 · 1.00", "10.0 · 100", "0.1", "1", "10"]),
  );
});

describe("lines", () => {
  const rows = ["1,000 delayed", "100,000 delayed", "10,000,000 delayed"];
  const figures = rows.flatMap((row, index) => [
    figure(row, "CPU a claim", "holdfast", [10 + index, 12 + index, 11 + index]),
    figure(row, "CPU a claim", "floor", [11, 11, 11]),
  ]);

  test("go through the medians, by the logarithm of the size", () => {
    const svg = draw(lineChart, figures);
    const line = allElements(svg).find(({ name }) => name === "polyline")!;
    const corners = line.attributes["points"]!.split(" ").map((corner) =>
      corner.split(",").map(Number),
    );
    const [[x1, y1], [x2, y2], [x3, y3]] = corners as [number, number][] as [
      [number, number],
      [number, number],
      [number, number],
    ];
    expect(x3 - x2).toBeCloseTo(x2 - x1, 1);
    expect(y3 - y2).toBeCloseTo(y2 - y1, 1);
    expect(y2).toBeLessThan(y1);
    expect(labels(svg)).toEqual(expect.arrayContaining(["1K", "100K", "10M", "delayed", "floor"]));
  });

  test("have names that do not stand on each other", () => {
    const same = figures.map(({ row, metric, peer }) => figure(row, metric, peer, [11]));
    const names = allElements(draw(lineChart, same)).filter(({ text }) =>
      ["holdfast", "floor"].includes(text),
    );
    const [first, second] = names.map((name) => number(name, "y"));
    expect(Math.abs(first! - second!)).toBeGreaterThanOrEqual(14);
  });

  test("need a number in front of their rows", () => {
    expect(() => draw(lineChart, [figure("many", "CPU", "floor", [1])])).toThrow('not "many"');
  });
});

test("a scenario gets the charts that are made for it, a strange one none, each the same every time", () => {
  const scenario = {
    name: "process",
    description: "",
    targets: [],
    figures: [
      figure("concurrency 1", "jobs a second", "holdfast", [1, 2, 3]),
      figure("concurrency 1", "server CPU a job", "holdfast", [1]),
      figure("concurrency 1", "something else", "holdfast", [1]),
    ],
  };
  const charts = chartsOf(scenario);
  expect(charts.map(({ file }) => file)).toEqual(["process.svg", "process-cpu.svg"]);
  expect(chartsOf(structuredClone(scenario))).toEqual(charts);
  expect(charts.map(({ svg }) => labels(readSvg(svg))[1])).toEqual([
    "Medians of 3 samples; whiskers reach from the smallest to the largest. More is better.",
    "One sample; whiskers reach from the smallest to the largest. Less is better.",
  ]);
  expect(chartsOf({ ...scenario, name: "strange" })).toEqual([]);
  expect(chartsOf({ ...scenario, figures: [] })).toEqual([]);
});
