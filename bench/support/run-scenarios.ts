import { BenchQueue } from "./bench-queue.ts";
import type { BenchServer } from "./bench-server.ts";
import { Progress } from "./progress.ts";
import type { ScenarioResult } from "./result.ts";
import type { BenchPeer, Scenario, ScenarioContext } from "./scenario.ts";
import { figureTable, targetTable } from "./table.ts";
import { judge, unmeasured, type UnmeasuredTarget } from "./targets.ts";

export interface RunSettings {
  readonly isQuick: boolean;
  readonly repeats: number;
  readonly peers: readonly BenchPeer[];
  readonly server: BenchServer;
  print(line: string): void;
}

/** One after another. One that fails says so in its result, and the others go on. */
export async function runScenarios(
  chosen: readonly Scenario[],
  settings: RunSettings,
): Promise<ScenarioResult[]> {
  const results: ScenarioResult[] = [];
  for (const [index, scenario] of chosen.entries()) {
    const peers = settings.peers.filter(({ module }) => scenario.peers.includes(module));
    if (peers.length === 0) {
      const names = scenario.peers.join(", ");
      settings.print(`\n${scenario.name}: left out, since it measures only ${names}`);
      continue;
    }
    const label = `${scenario.name} (${index + 1} of ${chosen.length})`;
    results.push(await runOne(scenario, label, { ...settings, peers }));
  }
  return results;
}

async function runOne(
  scenario: Scenario,
  label: string,
  { print, ...settings }: RunSettings,
): Promise<ScenarioResult> {
  const { name, description, targets, timeLimitMs } = scenario;
  const progress = new Progress(label);
  const queues: BenchQueue[] = [];
  const context: ScenarioContext = {
    ...settings,
    progress: (text) => progress.show(text),
    openQueue: (peer, queueSettings) => {
      const queue = new BenchQueue(peer, settings.server, queueSettings);
      queues.push(queue);
      return queue;
    },
  };
  print(`\n${name}: ${description}`);
  // Quick runs measure other loads than the targets name.
  const applying = settings.isQuick ? [] : targets;
  const startedAt = performance.now();
  const result = await withTimeLimit(scenario.run(context), timeLimitMs).then(
    (figures) => ({ name, description, figures, targets: judge(applying, figures) }),
    (error: unknown) => ({ name, description, figures: [], targets: [], error: String(error) }),
  );
  progress.clear();
  // What a failed or overdue scenario left behind must not disturb the next one.
  await Promise.allSettled(queues.map((queue) => queue.remove()));
  const seconds = Math.round((performance.now() - startedAt) / 1_000);
  const missing = unmeasured({ name, targets: applying }, result.figures);
  print([...tables(result, missing), `${name} took ${seconds} s`].join("\n\n"));
  return { ...result, seconds };
}

function tables(
  { figures, targets, error }: ScenarioResult,
  missing: readonly UnmeasuredTarget[],
): string[] {
  const measured = error === undefined ? figureTable(figures) : `FAILED: ${error}`;
  return [measured, targetTable(targets, missing)].filter(Boolean);
}

async function withTimeLimit<Result>(work: Promise<Result>, limitMs: number): Promise<Result> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not done after ${limitMs / 1_000} s`)), limitMs);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
