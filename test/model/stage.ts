/** What all sequences of a test share: a client that carries the scripts, and a subscriber of wake-ups. */
import { onTestFinished } from "vitest";
import { resolveQueueOptions } from "../../src/core/model/queue-options.ts";
import { Connection } from "../../src/core/store/connection.ts";
import * as scripts from "../../src/scripts/generated.ts";
import { openQueue } from "../helpers/script-harness.ts";
import { hearWakes } from "../helpers/script-wakes.ts";
import type { Stage } from "./play.ts";
import { HEARING } from "./scene.ts";

export async function setStage(): Promise<Stage> {
  const queue = openQueue();
  const { client, wakeChannel } = queue;
  const { woken } = await hearWakes(queue, [...HEARING]);
  const connection = new Connection(resolveQueueOptions("model", { connection: client }));
  onTestFinished(() => connection.close());
  // A script that had to be loaded first would run after the commands that are sent behind it.
  await Promise.all(Object.values(scripts).map(({ source }) => client.script("LOAD", source)));
  return { client, connection, wakeChannel, woken };
}
