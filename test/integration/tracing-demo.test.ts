/** The example of traces, run as its users run it: what it prints and draws. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { expect, onTestFinished, test } from "vitest";
import { failOnLeaks } from "../helpers/leak-check.ts";
import { labels, ofClass, readSvg } from "../helpers/read-svg.ts";
import { rawRedis, testRedisUrl } from "../helpers/redis.ts";

failOnLeaks();

const root = join(import.meta.dirname, "../..");

async function runDemo(pictureFile: string): Promise<string> {
  const { scripts } = JSON.parse(await readFile(join(root, "package.json"), "utf8"));
  const [loader, program] = scripts["demo:tracing"].split(" ");
  const child = spawn(process.execPath, ["--import", loader, program, pictureFile], {
    cwd: root,
    env: { ...process.env, REDIS_URL: testRedisUrl() },
    stdio: ["ignore", "pipe", "pipe"],
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  const [printed, complaints, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, "exit"),
  ]);
  expect({ code, complaints }).toEqual({ code: 0, complaints: "" });
  return printed;
}

/** What is printed of one job, without columns and figures that differ from run to run. */
function storyOf(printed: string, id: string): string[] {
  const story = printed.split("\n\n").find((part) => part.startsWith(`${id}\n`)) ?? "";
  const names = new Map<string, string>();
  return story.split("\n").map((line) =>
    line
      .replaceAll(/trace ([0-9a-f]{8})\b/g, (_, traceId: string) => {
        names.set(traceId, names.get(traceId) ?? String.fromCodePoint(65 + names.size));
        return `trace ${names.get(traceId)}`;
      })
      .replaceAll(/\+\d+\.\d\d s +\d+\.\d ms/g, "")
      .replaceAll(/\d+ ms late/g, "n ms late")
      .replaceAll(/worker-\d/g, "worker")
      .trimEnd()
      .replaceAll(/ {2,}(?=\S)/g, "  ")
      .trim(),
  );
}

test("prints the traces of each job with their links, and draws the one that lost its worker", async () => {
  const folder = await mkdtemp(join(tmpdir(), "holdfast-test-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const pictureFile = join(folder, "timeline.svg");
  const printed = await runDemo(pictureFile);

  expect(storyOf(printed, "order-2")).toEqual([
    "order-2",
    "creation: trace A",
    "POST /orders  producer",
    "└─ enqueue payments  producer",
    'attempt 1: trace B, linked to "enqueue payments" of trace A',
    "process payments  worker  attempt 1 of 4 (first), n ms late, retried, ERROR GatewayTimeout: the card company did not answer in time",
    "├─ POST /charges  worker  ERROR the card company did not answer in time",
    "└─ retry payments  worker  again in 0.4 s",
    'attempt 2: trace C, linked to "enqueue payments" of trace A',
    expect.stringMatching(
      /^process payments {2}worker {2}attempt 2 of 4 \(.+\), n ms late, completed$/,
    ),
    "├─ POST /charges  worker",
    "└─ complete payments  worker",
  ]);
  expect(storyOf(printed, "order-3").slice(4)).toEqual([
    'attempt 1: trace B, linked to "enqueue payments" of trace A',
    "process payments  worker  attempt 1 of 4 (first), n ms late, dead, ERROR DeadLetter: the card was reported stolen",
    "├─ POST /charges  worker  ERROR the card was reported stolen",
    "└─ dead_letter payments  worker",
  ]);
  expect(storyOf(printed, "order-4")).toEqual([
    "order-4",
    "creation: trace A",
    "POST /orders  producer",
    "└─ enqueue payments  producer",
    "└─ process payments  worker  attempt 1 of 4 (first), n ms late, completed",
    "├─ POST /charges  worker",
    "└─ complete payments  worker",
    'attempt 1: above, for it was enqueued with trace: "parent"; also linked to "enqueue payments" of trace A',
  ]);
  // Nothing is made up for the attempt whose process was killed.
  const killed = storyOf(printed, "order-5");
  expect(killed.filter((line) => /^(attempt|creation)/.test(line))).toEqual([
    "creation: trace A",
    "attempt 1: no span. Its process ended before the attempt did, and a span is sent when it ends.",
    'attempt 2: trace B, linked to "enqueue payments" of trace A',
    'attempt 3: trace C, linked to "enqueue payments" of trace A',
  ]);
  expect(killed.filter((line) => line.startsWith("process"))).toHaveLength(2);
  expect(printed).toContain("5 jobs, 8 attempts, 31 spans in 11 traces; 0 attempts without a link");

  expect(printed).toContain(`Timeline of order-5: ${pictureFile}`);
  const picture = readSvg(await readFile(pictureFile, "utf8"));
  expect(labels(picture)).toEqual(
    expect.arrayContaining([
      "attempt 1",
      expect.stringMatching(/^worker-[12], no span$/),
      expect.stringMatching(/^SIGKILL, \d+\.\d s until its lease was taken back$/),
      "GatewayTimeout: retried",
      "completed",
    ]),
  );
  // The enqueue, two attempts and their settlements; two links; and what no span tells of, marked so.
  const counts = ["span", "link", "unseen", "lease", "kill"].map((name) => [
    name,
    ofClass(picture, name).length,
  ]);
  expect(Object.fromEntries(counts)).toEqual({ span: 5, link: 2, unseen: 1, lease: 1, kill: 1 });
  const widthOf = (name: string) => Number(ofClass(picture, name)[0]!.attributes["width"]);
  expect(widthOf("unseen")).toBeGreaterThan(3);
  expect(widthOf("lease")).toBeGreaterThan(3);

  expect(await rawRedis(testRedisUrl()).keys("holdfast-demo-*:{payments}:*")).toEqual([]);
});
