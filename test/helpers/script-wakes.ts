/** Who is woken: heard as the workers' own subscribers would, and the rules that every script keeps. */
import { once } from "node:events";
import { expect, it, onTestFinished } from "vitest";
import { expectWithin, openQueue, type TestQueue } from "./script-harness.ts";

interface Wakes {
  /** The workers woken since the last time this was asked, in order. */
  woken(): Promise<string[]>;
}

/** Subscribes to the channels of these workers; all others count as gone. */
export async function hearWakes(queue: TestQueue, workerIds: readonly string[]): Promise<Wakes> {
  const subscriber = queue.client.duplicate();
  onTestFinished(() => subscriber.disconnect());
  const fence = `${queue.wakeChannel}(fence)`;
  let heard: string[] = [];
  subscriber.on("smessage", (channel: string) => {
    if (channel === fence) {
      subscriber.emit("fence");
    } else {
      heard.push(channel.slice(queue.wakeChannel.length));
    }
  });
  await subscriber.ssubscribe(fence, ...workerIds.map((id) => queue.wakeChannel + id));
  return {
    // A connection's messages arrive in order: once the fence is here, so is what came before it.
    async woken() {
      const fenced = once(subscriber, "fence");
      await queue.client.spublish(fence, "");
      await fenced;
      const woken = heard;
      heard = [];
      return woken;
    },
  };
}

export interface WakingCall {
  /** What must be there for the call to bring up work that is due `dueInMs` from now. */
  prepare(queue: TestQueue, dueInMs: number): Promise<unknown>;
  call(queue: TestQueue, wakeChannel: string, dueInMs: number): Promise<unknown>;
}

interface Scene {
  /** Waiting workers, and how long from now each looks. */
  readonly waiting: Readonly<Record<string, number>>;
  readonly subscribed: readonly string[];
  readonly dueInMs?: number;
  readonly isPaused?: boolean;
  readonly isWithoutChannel?: boolean;
}

/** Plays a scene and says who was woken, who still waits, and for whom that moved. */
async function play(waking: WakingCall, scene: Scene) {
  const queue = openQueue();
  const { dueInMs = 0 } = scene;
  const planted = new Map<string, number>();
  await waking.prepare(queue, dueInMs);
  if (scene.isPaused) {
    await queue.client.hset(queue.keys.meta, "paused", 1);
  }
  const wakes = await hearWakes(queue, scene.subscribed);
  for (const [workerId, inMs] of Object.entries(scene.waiting)) {
    planted.set(workerId, await queue.plantWaiting(workerId, inMs));
  }
  const channel = scene.isWithoutChannel ? "" : queue.wakeChannel;
  const { from, to } = await queue.watch(() => waking.call(queue, channel, dueInMs));
  const waiting = await queue.part("waiting");
  const moved = [...waiting].filter(([id, look]) => planted.get(id) !== Number(look));
  for (const [, look] of moved) {
    expectWithin(look, from, to);
  }
  return {
    woken: await wakes.woken(),
    waiting: [...waiting.keys()],
    moved: moved.map(([id]) => id),
  };
}

/** Adds one test per rule that every script that wakes keeps. */
export function itKeepsTheRulesOfWaking(waking: WakingCall): void {
  it("wakes one worker only, the one that looks first, and notes that it looks now", async () => {
    const scene = { waiting: { w2: 60_000, w1: 50_000 }, subscribed: ["w1", "w2"] };
    expect(await play(waking, scene)).toEqual({
      woken: ["w1"],
      waiting: ["w1", "w2"],
      moved: ["w1"],
    });
  });

  it("drops the entries of stalled workers, which count for nothing", async () => {
    const waiting = { stalled1: -10_000, stalled2: -9_000, w1: 50_000 };
    const scene = { waiting, subscribed: ["stalled1", "stalled2", "w1"] };
    expect(await play(waking, scene)).toEqual({ woken: ["w1"], waiting: ["w1"], moved: ["w1"] });
  });

  it("drops a worker that is gone, and tries the next", async () => {
    const scene = { waiting: { gone: 40_000, w1: 50_000 }, subscribed: ["w1"] };
    expect(await play(waking, scene)).toEqual({ woken: ["w1"], waiting: ["w1"], moved: ["w1"] });
  });

  it("tries three workers at most", async () => {
    const waiting = { gone1: 10_000, gone2: 20_000, gone3: 30_000, w1: 40_000 };
    const scene = { waiting, subscribed: ["w1"] };
    expect(await play(waking, scene)).toEqual({ woken: [], waiting: ["w1"], moved: [] });
  });

  it("wakes nobody without a channel", async () => {
    const scene = { waiting: { w1: 50_000 }, subscribed: ["w1"], isWithoutChannel: true };
    expect(await play(waking, scene)).toEqual({ woken: [], waiting: ["w1"], moved: [] });
  });

  it("wakes nobody where nobody waits", async () => {
    expect(await play(waking, { waiting: {}, subscribed: ["w1"] })).toMatchObject({ woken: [] });
  });
}

/** For scripts that do not end a pause. */
export function itWakesNobodyWhilePaused(waking: WakingCall): void {
  it("wakes nobody while the queue is paused", async () => {
    const scene = { waiting: { w1: 50_000 }, subscribed: ["w1"], isPaused: true };
    expect(await play(waking, scene)).toEqual({ woken: [], waiting: ["w1"], moved: [] });
  });
}

/** For scripts whose work may be due later than now. */
export function itWakesByTheDueTime(waking: WakingCall): void {
  it("wakes nobody where somebody looks in time", async () => {
    const waiting = { w1: 50_000, w2: 90_000 };
    const scene = { waiting, subscribed: ["w1", "w2"], dueInMs: 60_000 };
    expect(await play(waking, scene)).toEqual({ woken: [], waiting: ["w1", "w2"], moved: [] });
  });

  it("wakes a worker that would look too late for work that is due later", async () => {
    const scene = { waiting: { w1: 90_000 }, subscribed: ["w1"], dueInMs: 60_000 };
    expect(await play(waking, scene)).toEqual({ woken: ["w1"], waiting: ["w1"], moved: ["w1"] });
  });
}
