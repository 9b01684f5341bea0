/** Where the bench keeps a run is checked before it measures for an hour. */
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { checkResultFile, writeResult } from "../../bench/support/result-files.ts";

async function makeFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "holdfast-results-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  return folder;
}

const fullRun = {
  date: "2026-01-02T03:04:05.000Z",
  isQuick: false,
  repeats: 5,
  peers: [],
  machine: {},
  scenarios: [],
};

test("a file that cannot be written is refused by name, and what to do is said", async () => {
  const folder = await makeFolder();
  await writeFile(join(folder, "file"), "");
  const paths = [
    "/proc/none/run.json", // where folders cannot be made, which a recursive mkdir tries for ever
    join(folder, "file", "run.json"),
    folder,
  ];
  for (const path of paths) {
    await expect(checkResultFile(path, true)).rejects.toThrow(
      `${path} cannot be written, so nothing is measured: name another file with --json`,
    );
  }
});

test("one that can be has its folders made, and is not there before it has a run", async () => {
  const path = join(await makeFolder(), "some", "folders", "run.json");
  await checkResultFile(path, true);
  expect(existsSync(path)).toBe(false);
  await writeResult(path, fullRun);
  expect(JSON.parse(await readFile(path, "utf8"))).toEqual(fullRun);
});

test("a full run is kept as it is, and replaced by another full one alone", async () => {
  const path = join(await makeFolder(), "run.json");
  await writeResult(path, fullRun);
  await checkResultFile(path, false);
  await expect(checkResultFile(path, true)).rejects.toThrow("holds a full run");
  expect(JSON.parse(await readFile(path, "utf8"))).toEqual(fullRun);
});
