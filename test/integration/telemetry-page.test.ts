/** docs/telemetry.md against the code: its tables name what is emitted, all of it, and its snippets run. */
import { spawn } from "node:child_process";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { DataPointType } from "@opentelemetry/sdk-metrics";
import { expect, onTestFinished, test } from "vitest";
import { Collector } from "../../examples/tracing/collector.ts";
import { findFreePort } from "../../tools/redis/free-port.ts";
import { emitEverything } from "../helpers/all-telemetry.ts";
import { failOnLeaks } from "../helpers/leak-check.ts";
import { blocks, codeIn, readPage, section, table } from "../helpers/markdown.ts";
import { testRedisUrl, uniqueName } from "../helpers/redis.ts";
import { testTelemetry } from "../helpers/telemetry.ts";

failOnLeaks();

const page = readPage("telemetry.md");
const spanRows = table(section(page, "Spans"));
const metricRows = table(section(page, "Metrics"));

/** What the page says once for all. */
const ofEverySpan = [
  "messaging.system",
  "messaging.destination.name",
  "messaging.operation.name",
  "messaging.operation.type",
  "server.address",
  "server.port",
  "error.type",
];
const ofEveryMetric = [
  "messaging.system",
  "messaging.destination.name",
  "server.address",
  "server.port",
];

function attributeNames(all: readonly object[], besides: readonly string[]): string[] {
  const names = new Set(all.flatMap((attributes) => Object.keys(attributes)));
  return [...names].filter((name) => !besides.includes(name)).toSorted();
}

/** Those of a cell that are names of attributes, not values of one. */
const namesIn = (cell: string) =>
  codeIn(cell)
    .filter((code) => code.includes("."))
    .toSorted();

test("the table of spans: names, kinds, types, attributes", async () => {
  const telemetry = testTelemetry();
  const { name } = await emitEverything();
  const spans = telemetry.spans();
  const described = Object.fromEntries(
    spanRows.map((row) => [
      codeIn(row["Span"]!)[0],
      {
        kinds: row["Kind"]!.match(/[A-Z]{2,}/g)!.toSorted(),
        types: [row["Type"]],
        attributes: namesIn(row["Attributes of its own"]!),
      },
    ]),
  );
  const found = [...new Set(spans.map((span) => span.name))].map((spanName) => {
    const ofName = spans.filter((span) => span.name === spanName);
    const attributes = ofName.map((span) => span.attributes);
    return [
      spanName.replace(name, "<queue>"),
      {
        kinds: [...new Set(ofName.map(({ kind }) => kind))].toSorted(),
        types: [...new Set(attributes.map((of) => of["messaging.operation.type"]))],
        attributes: attributeNames(attributes, ofEverySpan),
      },
    ];
  });
  expect(Object.fromEntries(found)).toEqual(described);
  const events = new Set(spans.flatMap((span) => span.events));
  const named = codeIn(section(page, "Spans")).filter((code) => events.has(code));
  expect([...events].toSorted()).toEqual(["exception", ...named].toSorted());
});

test("the table of metrics: names, instruments, units, attributes", async () => {
  const telemetry = testTelemetry();
  await emitEverything();
  const kinds: Readonly<Record<string, string>> = {
    Counter: "SUM",
    UpDownCounter: "SUM",
    Histogram: "HISTOGRAM",
    Gauge: "GAUGE",
    ObservableGauge: "GAUGE",
  };
  const described = metricRows.map((row) => [
    codeIn(row["Metric"]!)[0],
    {
      kind: kinds[row["Instrument"]!],
      unit: row["Unit"],
      attributes: namesIn(row["Attributes of its own"]!),
    },
  ]);
  const found = (await telemetry.metrics()).map(({ descriptor, dataPointType, dataPoints }) => [
    descriptor.name,
    {
      kind: DataPointType[dataPointType],
      unit: descriptor.unit,
      attributes: attributeNames(
        dataPoints.map(({ attributes }) => attributes),
        ofEveryMetric,
      ),
    },
  ]);
  expect(Object.fromEntries(found)).toEqual(Object.fromEntries(described));
});

test("the words that attributes are made of", async () => {
  const telemetry = testTelemetry();
  await emitEverything();
  const series = (await telemetry.metrics()).flatMap(({ dataPoints }) =>
    dataPoints.map(({ attributes }) => attributes),
  );
  const all = [...series, ...telemetry.spans().map(({ attributes }) => attributes)];
  const worded = [
    "holdfast.job.delivery_reason",
    "holdfast.job.outcome",
    "holdfast.dead_letter.reason",
    "holdfast.lease.outcome",
    "holdfast.queue.state",
  ];
  const values = worded.flatMap((name) => all.map((attributes) => attributes[name]));
  const used = new Set(values.filter((value) => value !== undefined));
  expect(used.size).toBeGreaterThan(10);
  expect(codeIn(page)).toEqual(expect.arrayContaining([...used]));
});

/** What an application does, below the snippet. */
const application = (queueName: string) => `
import { observeQueue, Queue, Worker } from "holdfast";
const queue = new Queue(${JSON.stringify(queueName)}, { connection: process.env.REDIS_URL });
${blocks(section(page, "Metrics"), "ts")[0]}
await queue.enqueue("x", { id: "x" });
const worker = new Worker(queue, () => trace.getTracer("app").startSpan("within").end());
const completed = new Promise((resolve) => worker.once("completed", resolve));
await worker.start();
await completed;
const { OTEL_EXPORTER_PROMETHEUS_PORT: port } = process.env;
console.log(await (await fetch(\`http://127.0.0.1:\${port}/metrics\`)).text());
await worker.close();
await queue.close();
observer.stop();
await spans.shutdown();
`;

test("the snippets: ten lines bring traces and metrics out", async () => {
  await using collector = new Collector();
  await collector.listen();
  const port = await findFreePort();
  const snippet = blocks(section(page, "Wire an SDK"), "ts")[0]!;
  const queueName = uniqueName("page");
  const code = `${snippet}${application(queueName)}`;
  const child = spawn(
    process.execPath,
    ["--import", "tsx", "--input-type=module", "--eval", code],
    {
      cwd: join(import.meta.dirname, "../.."),
      env: {
        ...process.env,
        REDIS_URL: testRedisUrl(),
        OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
        OTEL_EXPORTER_PROMETHEUS_HOST: "127.0.0.1",
        OTEL_EXPORTER_PROMETHEUS_PORT: String(port),
      },
      stdio: ["ignore", "pipe", "pipe"],
    },
  );
  onTestFinished(() => void child.kill("SIGKILL"));
  const [printed, complaints] = await Promise.all([text(child.stdout), text(child.stderr)]);
  expect(complaints).toBe("");
  const spanOf = (name: string) => collector.spans.find((span) => span.name === name)!;
  const enqueue = spanOf(`enqueue ${queueName}`);
  const process_ = spanOf(`process ${queueName}`);
  expect(process_.links).toMatchObject([{ spanId: enqueue.spanId }]);
  expect(spanOf("within").parentId).toBe(process_.spanId);
  expect(printed).toMatch(/^messaging_process_duration_count\{.*\} 1$/m);
  expect(printed).toMatch(/^holdfast_queue_depth\{.*holdfast_queue_state="due".*\} 0$/m);
  const statements = snippet
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("import"));
  expect(statements.length).toBeLessThanOrEqual(10);
});
