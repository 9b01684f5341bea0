import { enqueue } from "../scenarios/enqueue.ts";
import { fleet } from "../scenarios/fleet.ts";
import { floor } from "../scenarios/floor.ts";
import { lateness } from "../scenarios/lateness.ts";
import { lifeCycle } from "../scenarios/life-cycle.ts";
import { memory } from "../scenarios/memory.ts";
import { network } from "../scenarios/network.ts";
import { pickUp } from "../scenarios/pick-up.ts";
import { poll } from "../scenarios/poll.ts";
import { processJobs } from "../scenarios/process.ts";
import { recovery } from "../scenarios/recovery.ts";
import { scriptCost } from "../scenarios/script-cost.ts";
import { tracing } from "../scenarios/tracing.ts";
import { verify } from "../scenarios/verify.ts";
import type { Scenario } from "./scenario.ts";

/** Memory comes first, on a server that is still empty. */
export const scenarios: readonly Scenario[] = [
  memory,
  poll,
  enqueue,
  processJobs,
  lifeCycle,
  lateness,
  pickUp,
  fleet,
  recovery,
  floor,
  network,
  tracing,
  scriptCost,
  verify,
];

/**
 * Those of the names; without names all, of a quick run all that can be quick.
 *
 * @throws Error if there is no scenario of such a name
 */
export function choose(
  names: readonly string[],
  { isQuick, print }: { isQuick: boolean; print(line: string): void },
): readonly Scenario[] {
  const unknown = names.filter((name) => !scenarios.some((scenario) => scenario.name === name));
  if (unknown.length > 0) {
    const known = scenarios.map(({ name }) => name).join(", ");
    throw new Error(`There is no scenario ${unknown.join(", ")}. There are ${known}.`);
  }
  if (names.length > 0) {
    return scenarios.filter(({ name }) => names.includes(name));
  }
  const leftOut = isQuick ? scenarios.filter(({ notQuick }) => notQuick !== undefined) : [];
  for (const { name, notQuick } of leftOut) {
    print(`Left out of a quick run: ${name}, since ${notQuick}. To run it: --scenario ${name}`);
  }
  return scenarios.filter((scenario) => !leftOut.includes(scenario));
}
