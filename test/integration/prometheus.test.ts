/** Through Prometheus: what is exposed, and that the dashboard and the alerts ask for nothing else. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { expect, onTestFinished, test } from "vitest";
import { serveMetrics } from "../../examples/metrics/prometheus.ts";
import { findFreePort } from "../../tools/redis/free-port.ts";
import { emitEverything } from "../helpers/all-telemetry.ts";
import { failOnLeaks } from "../helpers/leak-check.ts";
import { blocks, codeIn, readPage, section, table } from "../helpers/markdown.ts";
import { testRedisUrl } from "../helpers/redis.ts";
import { registerTelemetry, unregisteredTelemetry } from "../helpers/telemetry.ts";
import { waitFor } from "../helpers/wait-for.ts";

failOnLeaks();

interface Exposed {
  type: string;
  unit: string;
  readonly labels: Set<string>;
}

/** Prometheus's text format, as far as it is used here. */
function readExposition(exposition: string): Map<string, Exposed> {
  const found = new Map<string, Exposed>();
  const entry = (name: string) => {
    const known = found.get(name) ?? { type: "", unit: "", labels: new Set<string>() };
    found.set(name, known);
    return known;
  };
  for (const line of exposition.split("\n")) {
    const [, about, name = "", value = ""] = /^# (TYPE|UNIT) (\S+) (.*)$/.exec(line) ?? [];
    if (about === "TYPE") entry(name).type = value;
    if (about === "UNIT") entry(name).unit = value;
    const [, series, labels = ""] = /^(\w+)\{(.*)\} \S+$/.exec(line) ?? [];
    if (series !== undefined) {
      const names = [...labels.matchAll(/(\w+)="/g)].map(([, label = ""]) => label);
      // The series of a histogram are asked for by names of their own.
      for (const label of names) entry(series).labels.add(label);
    }
  }
  return found;
}

async function scrape(url: string): Promise<string> {
  // No connection is to be left open behind the test.
  const response = await fetch(url, { headers: { Connection: "close" } });
  expect(response.status).toBe(200);
  return await response.text();
}

const page = readPage("telemetry.md");

interface Panel {
  readonly id: number;
  readonly title: string;
  readonly type: string;
  readonly gridPos: {
    readonly x: number;
    readonly y: number;
    readonly w: number;
    readonly h: number;
  };
  readonly targets?: readonly { readonly expr: string }[];
}

const dashboard = JSON.parse(readPage("grafana-dashboard.json")) as {
  readonly schemaVersion: number;
  readonly panels: readonly Panel[];
};
const [rules = ""] = blocks(section(page, "Prometheus and Grafana"), "yaml");
const alerts = rules.split("- alert: ").slice(1);

/** The queries of a rule stand in one line, or are folded from several. */
const alertQueries = alerts.map((alert) => {
  const [, query = ""] =
    /^ +expr: (?:>-\n)?((?:.*\n)+?)(?= +(?:for|annotations):)/m.exec(alert) ?? [];
  return query.trim();
});
const panelQueries = dashboard.panels.flatMap(({ targets = [] }) =>
  targets.map(({ expr }) => expr),
);

/** What a query asks for: series, and their labels. */
function askedBy(query: string): { series: string[]; labels: string[] } {
  const lists = /\bby \(([^)]*)\)|\{([^}]*)\}/g;
  const labels = [...query.matchAll(lists)].flatMap(([, by, matchers = ""]) =>
    by === undefined
      ? [...matchers.matchAll(/(\w+)\s*[=!]~?=?"/g)].map(([, label = ""]) => label)
      : by.split(",").map((label) => label.trim()),
  );
  return { series: query.replaceAll(lists, "").match(/\b(holdfast|messaging)_\w+/g) ?? [], labels };
}

test("each metric is exposed by its name, type and unit; dashboard and alerts ask for these alone", async () => {
  const { meterProvider, url } = await serveMetrics(await findFreePort());
  onTestFinished(() => meterProvider.shutdown());
  registerTelemetry({ ...unregisteredTelemetry(), meterProvider });
  const queue = await emitEverything();
  const exposition = await scrape(url);
  const exposed = readExposition(exposition);

  const types: Readonly<Record<string, string>> = {
    Counter: "counter",
    UpDownCounter: "gauge",
    Histogram: "histogram",
    Gauge: "gauge",
    ObservableGauge: "gauge",
  };
  const described = table(section(page, "Metrics")).map((row) => [
    codeIn(row["Prometheus"]!)[0],
    { type: types[row["Instrument"]!], unit: row["Unit"] },
  ]);
  const found = [...exposed]
    .filter(([name, { type }]) => type !== "" && name !== "target_info")
    .map(([name, { type, unit }]) => [name, { type, unit }]);
  expect(Object.fromEntries(found)).toEqual(Object.fromEntries(described));
  // Not names alone: the one delayed job, and buckets that fit lateness.
  const scheduled = `messaging_destination_name="${queue.name}",holdfast_queue_state="scheduled"`;
  expect(exposition).toMatch(new RegExp(`^holdfast_queue_depth\\{.*${scheduled}.*\\} 1$`, "m"));
  expect(exposition).toMatch(/^holdfast_job_schedule_lag_bucket\{.*le="3600"\} \d+$/m);

  expect(alertQueries).toHaveLength(5);
  expect(panelQueries.length).toBeGreaterThan(15);
  const unknown = [...alertQueries, ...panelQueries].filter((query) => {
    const { series, labels } = askedBy(query);
    // Prometheus itself adds the address that it scraped.
    const known = new Set(series.flatMap((name) => [...(exposed.get(name)?.labels ?? [])]));
    const isKnown = series.length > 0 && series.every((name) => exposed.has(name));
    return !isKnown || !labels.every((label) => known.has(label) || label === "instance");
  });
  expect(unknown).toEqual([]);
});

test("the dashboard is one that Grafana imports: its panels are whole, and lie side by side", () => {
  expect(dashboard.schemaVersion).toBeGreaterThanOrEqual(39);
  const ids = dashboard.panels.map(({ id }) => id);
  expect(new Set(ids).size).toBe(ids.length);
  const taken = new Set<string>();
  for (const { title, type, gridPos, targets = [] } of dashboard.panels) {
    expect(title).not.toBe("");
    expect(targets.length > 0, `queries of ${title}`).toBe(type !== "row");
    expect(gridPos.x + gridPos.w, `right side of ${title}`).toBeLessThanOrEqual(24);
    for (let cell = 0; cell < gridPos.w * gridPos.h; cell += 1) {
      const place = `${gridPos.x + (cell % gridPos.w)} ${gridPos.y + Math.floor(cell / gridPos.w)}`;
      expect(taken.has(place), `${title} at ${place}`).toBe(false);
      taken.add(place);
    }
  }
});

test("the example serves a queue at work, and ends cleanly", async () => {
  const root = join(import.meta.dirname, "../..");
  const port = await findFreePort();
  const child = spawn(
    process.execPath,
    ["--import", "tsx", "examples/metrics/demo.ts", String(port)],
    {
      cwd: root,
      env: { ...process.env, REDIS_URL: testRedisUrl() },
      stdio: ["ignore", "pipe", "inherit"],
    },
  );
  onTestFinished(() => void child.kill("SIGKILL"));
  const ended = once(child, "exit");
  const url = `http://127.0.0.1:${port}/metrics`;
  for await (const line of createInterface({ input: child.stdout })) {
    if (line.startsWith(`Metrics: ${url}`)) break;
  }
  const wanted = [
    /^messaging_process_duration_count\{.*\} [1-9]/m,
    /^holdfast_job_schedule_lag_count\{.*\} [1-9]/m,
    /^holdfast_queue_depth\{.*holdfast_queue_state="scheduled".*\} [1-9]/m,
  ];
  await waitFor(
    async () => {
      const exposition = await scrape(url);
      return wanted.every((pattern) => pattern.test(exposition));
    },
    { what: "metrics of a queue at work" },
  );
  child.kill("SIGTERM");
  expect(await ended).toEqual([0, null]);
});
