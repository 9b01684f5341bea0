import * as scripts from "../../src/scripts/generated.ts";
import { timeCall, type TimedSample } from "../support/call-timer.ts";
import type { Figure, Scenario, ScenarioContext } from "../support/scenario.ts";
import { type ScriptCase, scriptCases } from "../support/script-cases.ts";
import { ScriptWorld } from "../support/script-world.ts";

const callsPerRepeat = 20;
const limitMs = 5;

export const scriptCost: Scenario = {
  name: "script-cost",
  description: "server time of single script calls at their largest batch, on a large queue",
  target: `no call over ${limitMs} ms of the server's time`,
  timeLimitMs: 1_200_000,
  run: (context) =>
    context.withQueue(async (queue) => {
      checkCoverage();
      const world = new ScriptWorld(context.server, queue);
      try {
        const jobs = context.isQuick ? 100_000 : 1_000_000;
        await world.fill(jobs, (text) => context.progress(text));
        return await timeAll(context, world);
      } finally {
        await world.close();
      }
    }),
};

async function timeAll(context: ScenarioContext, world: ScriptWorld): Promise<Figure[]> {
  const samples = new Map<ScriptCase, TimedSample[]>(scriptCases.map((entry) => [entry, []]));
  for (let round = 1; round <= context.repeats; round += 1) {
    for (const [scriptCase, timed] of samples) {
      const { script, load } = scriptCase;
      context.progress(`repeat ${round} of ${context.repeats}, ${script}, ${load}`);
      // The first call of all may have to load the script.
      await timeCase(scriptCase, world);
      for (let call = 1; call <= callsPerRepeat; call += 1) {
        timed.push(await timeCase(scriptCase, world));
      }
    }
  }
  return [...samples].map(([scriptCase, timed]) => figureOf(scriptCase, timed));
}

async function timeCase(scriptCase: ScriptCase, world: ScriptWorld): Promise<TimedSample> {
  const { call, restore } = await scriptCase.prepare(world);
  const { sample } = await timeCall(world.server, call);
  await restore?.();
  return sample;
}

/**
 * A call that took longer than the processor time the server used was kept waiting by the machine. So
 * the target is held against the smaller of the two, and the table says where that made a difference.
 */
function figureOf({ script, load }: ScriptCase, timed: readonly TimedSample[]): Figure {
  const late = timed.filter(({ elapsedMs }) => elapsedMs > limitMs);
  const mostCpuMs = Math.max(...late.map(({ cpuMs }) => cpuMs));
  return {
    metric: load === "" ? script : `${script}, ${load}`,
    unit: "ms",
    samples: timed.map(({ elapsedMs }) => elapsedMs),
    judgedSamples: timed.map(({ elapsedMs, cpuMs }) => Math.min(elapsedMs, cpuMs)),
    atMost: limitMs,
    note: late.length > 0 ? `these used up to ${mostCpuMs.toFixed(1)} ms of CPU` : undefined,
  };
}

/** @throws Error if a script has no case: a new script must not go untimed */
function checkCoverage(): void {
  const covered = new Set(scriptCases.map(({ script }) => script));
  const missing = Object.values(scripts).filter(({ name }) => !covered.has(name));
  if (missing.length > 0) {
    throw new Error(`scripts without a case: ${missing.map(({ name }) => name).join(", ")}`);
  }
}
