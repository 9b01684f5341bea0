import * as scripts from "../../src/scripts/generated.ts";
import { timeCall, type TimedSample } from "../support/call-timer.ts";
import { Figures, type Scenario, type ScenarioContext } from "../support/scenario.ts";
import { type ScriptCase, scriptCases } from "../support/script-cases.ts";
import { ScriptWorld } from "../support/script-world.ts";
import { addTimedCalls, longestCallTargets } from "../support/timed-calls.ts";

const callsPerRepeat = 20;
const limitMs = 5;

export const scriptCost: Scenario = {
  name: "script-cost",
  description: "server time of single script calls at their largest batch, on a large queue",
  peers: ["holdfast"],
  targets: longestCallTargets(scriptCases.map(rowOf), limitMs),
  timeLimitMs: 1_200_000,
  run: async (context) => {
    checkCoverage();
    const [peer] = context.peers;
    const world = new ScriptWorld(context.server, context.openQueue(peer!));
    try {
      const jobs = context.isQuick ? 20_000 : 1_000_000;
      await world.fill(jobs, (text) => context.progress(text));
      return await timeAll(context, world);
    } finally {
      await world.close();
    }
  },
};

async function timeAll(context: ScenarioContext, world: ScriptWorld): Promise<Figures["all"]> {
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
  const figures = new Figures();
  for (const [scriptCase, timed] of samples) {
    addTimedCalls(figures, rowOf(scriptCase), timed);
  }
  return figures.all;
}

async function timeCase(scriptCase: ScriptCase, world: ScriptWorld): Promise<TimedSample> {
  const { call, restore } = await scriptCase.prepare(world);
  const { result, sample } = await timeCall(world.server, call);
  if (result !== scriptCase.moves) {
    throw new Error(`${rowOf(scriptCase)}: a call moved ${result}, not ${scriptCase.moves}`);
  }
  await restore?.();
  return sample;
}

function rowOf({ script, load }: ScriptCase): string {
  return load === "" ? script : `${script}, ${load}`;
}

/** @throws Error if a script has no case: a new script must not go untimed */
function checkCoverage(): void {
  const covered = new Set(scriptCases.map(({ script }) => script));
  const missing = Object.values(scripts).filter(({ name }) => !covered.has(name));
  if (missing.length > 0) {
    throw new Error(`scripts without a case: ${missing.map(({ name }) => name).join(", ")}`);
  }
}
