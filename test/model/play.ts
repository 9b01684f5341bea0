/** Plays a sequence on a real queue and on the reference, step by step. */
import { deepStrictEqual } from "node:assert/strict";
import type { Redis } from "ioredis";
import type { Connection } from "../../src/core/store/connection.ts";
import type { Call } from "./calls.ts";
import { explain } from "./compare.ts";
import { RealQueue } from "./real-queue.ts";
import { ReferenceQueue } from "./reference-queue.ts";
import { HEARING, Scene } from "./scene.ts";
import type { Sequence, Step } from "./steps.ts";

export interface Stage {
  readonly client: Redis;
  readonly connection: Connection;
  readonly wakeChannel: string;
  /** The workers woken since this was last asked, in order. */
  woken(): Promise<string[]>;
}

export async function play({ ids, hasWakeups, steps }: Sequence, stage: Stage): Promise<void> {
  const real = new RealQueue(stage.client, stage.connection, hasWakeups ? stage.wakeChannel : "");
  const player = new Player(real, new Scene(ids), hasWakeups);
  try {
    for (const step of steps) await player.play(step);
    deepStrictEqual(await stage.woken(), player.reference.woken, "who was woken");
  } catch (error) {
    await stage.woken();
    const calls = player.log.map((line) => `\n  ${line}`).join("");
    throw new Error(`the last of these calls is not explained:${calls}`, { cause: error });
  } finally {
    await real.clear();
  }
}

class Player {
  readonly log: string[] = [];
  reference: ReferenceQueue;
  readonly #real: RealQueue;
  readonly #scene: Scene;
  readonly #calls: Call[] = [];

  constructor(real: RealQueue, scene: Scene, hasWakeups: boolean) {
    this.#real = real;
    this.#scene = scene;
    this.reference = new ReferenceQueue(hasWakeups ? HEARING : undefined);
  }

  async play(step: Step): Promise<void> {
    switch (step.script) {
      case "nothing":
        return;
      case "passTime":
        this.log.push(JSON.stringify(step));
        this.reference.passTime(step.ms);
        return this.#real.passTime(step.ms);
      case "clockWasAhead":
        this.log.push(JSON.stringify(step));
        this.reference.token = (Date.now() + step.ms) * 1_000;
        return this.#real.setToken(this.reference.token);
      case "repeat": {
        const call = this.#calls.at(-1 - step.back);
        return call && this.#call(call);
      }
      default:
        return this.#call(this.#scene.callOf(step, this.reference));
    }
  }

  async #call(call: Call): Promise<void> {
    this.log.push(JSON.stringify(call));
    this.#calls.push(call);
    this.reference = explain(this.reference, call, await this.#real.call(call));
    if (call.script === "claim") this.#scene.remember(this.reference);
  }
}
