/** Runs the scenarios, prints their figures and keeps them in a file. See README.md. */
import { findRedis } from "../tools/redis/find-redis.ts";
import { BenchServer } from "./support/bench-server.ts";
import { ensureBuilt } from "./support/build.ts";
import { machineFacts } from "./support/machine.ts";
import { readOptions } from "./support/options.ts";
import { checkPeers, choosePeers } from "./support/chosen-peers.ts";
import { defaultResultFile, writeResult } from "./support/result-files.ts";
import type { BenchResult } from "./support/result.ts";
import { runScenarios } from "./support/run-scenarios.ts";
import { choose, scenarios } from "./support/scenarios.ts";
import { summaryLine } from "./support/table.ts";

const print = (line: string) => void process.stdout.write(`${line}\n`);

async function main(): Promise<void> {
  const options = readOptions(process.argv.slice(2));
  if (options.listsOnly) {
    for (const { name, description } of scenarios) {
      print(`${name.padEnd(12)} ${description}`);
    }
    return;
  }
  const chosen = choose(options.scenarios);
  await ensureBuilt(print);
  const peers = await choosePeers(options.peers, print);
  const { image } = options;
  const args = ["--save", "", "--appendonly", "no"];
  const redis = await findRedis({ print, prefer: "engine", image, hostNetwork: true, args });
  const server = new BenchServer(redis.url);
  try {
    await checkPeers(peers, server);
    const date = new Date();
    const { commit, ...facts } = await machineFacts(server);
    const machine = { ...facts, server: redis.description, commit };
    print(
      `Machine: ${Object.entries(machine)
        .map((fact) => fact.join(" "))
        .join(", ")}`,
    );
    const { isQuick, repeats } = options;
    const results = await runScenarios(chosen, { isQuick, repeats, peers, server, print });
    const content: BenchResult = {
      date: date.toISOString(),
      isQuick,
      repeats,
      peers: peers.map(({ name }) => name),
      machine,
      scenarios: results,
    };
    const file = options.resultFile ?? defaultResultFile(date, commit, isQuick);
    await writeResult(file, content);
    print(`\n${summaryLine(results)}\nWritten: ${file}`);
    if (results.some(({ error }) => error !== undefined)) {
      process.exitCode = 1;
    }
  } finally {
    server.close();
    await redis.stop();
  }
}

try {
  await main();
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
