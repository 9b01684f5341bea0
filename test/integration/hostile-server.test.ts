/** A server, or something in front of it, that answers what no script answers: reported, and never fatal. */
import { describe, expect, onTestFinished, test } from "vitest";
import { HoldfastError, Queue } from "../../src/index.ts";
import * as scripts from "../../src/scripts/generated.ts";
import { startHostileServer } from "../helpers/hostile-server.ts";
import { failOnLeaks } from "../helpers/leak-check.ts";
import { waitFor } from "../helpers/wait-for.ts";
import { watchedWorker } from "../helpers/watched-worker.ts";

failOnLeaks();

const integer = (value: number | string) => `:${value}\r\n`;
const bulk = (value: string) => `$${Buffer.byteLength(value)}\r\n${value}\r\n`;
const array = (...items: string[]) => `*${items.length}\r\n${items.join("")}`;
const NULL = "$-1\r\n";

/** A claim that found nothing: look again in 10 ms. */
const NOTHING = array(integer(7), integer(Date.now()), integer(10), integer(-1), integer(0));
/** A claim that found one job, and maybe what it tells of its deliveries before. */
const job = (id: string, envelope = bulk("1m8v0000-abc\n1"), ...history: string[]) => {
  const head = [integer(7), integer(Date.now()), integer(10), integer(-1), integer(1)];
  return array(...head, id, envelope, integer(1), ...history);
};

const HOSTILE: Readonly<Record<string, string | Buffer>> = {
  "a number": integer(1),
  nothing: NULL,
  "a text": bulk("OK"),
  "an error": "-\r\n",
  "an error of the server": "-ERR \0 %s {} $100\r\n",
  "an empty list": "*0\r\n",
  "no list": "*-1\r\n",
  "a short list": array(integer(1), integer(2)),
  "a list that does not come out even": array(...[1, 2, 3, 4, 1].map(integer), bulk("x")),
  "a list of lists": array(...Array<string>(5).fill("*0\r\n")),
  "a list of nothing": array(...Array<string>(5).fill(NULL)),
  "numbers that are too large": array(...Array<string>(5).fill(integer("9223372036854775807"))),
  "numbers that are texts": array(...["a", "NaN", "{}", "-", "x"].map(bulk)),
  "a job of nothing": job(NULL, NULL),
  "a job of numbers": job(integer(1), integer(2)),
  "a job of lists": job("*0\r\n", "*0\r\n"),
  "a history of nothing": job(bulk("x"), undefined, NULL, NULL, NULL),
  "a history of lists": job(bulk("x"), undefined, "*0\r\n", "*0\r\n", "*0\r\n"),
  "a history of another job": job(bulk("x"), undefined, integer(2), integer(1), bulk("retry")),
  "a history of no count": job(bulk("x"), undefined, integer(1), bulk("many"), bulk("retry")),
  "a job that was not asked for, a thousand times": array(
    integer(7),
    integer(1),
    integer(-1),
    integer(-1),
    integer(1_000),
    ...Array.from({ length: 1_000 }, (_, n) => bulk(`${n}`) + bulk("no envelope") + integer(1)),
  ).replace(/^\*\d+/, "*3005"),
  "no protocol": "HTTP/1.1 400 Bad Request\r\n\r\n",
  noise: Buffer.alloc(4_096, 0xa7),
};

/** Answers each script as told, and what else a client asks as a Redis does. */
async function serve(answers: Partial<Record<keyof typeof scripts, () => string | Buffer>>) {
  const server = await startHostileServer(([name, first]) => {
    if (name!.toUpperCase() === "INFO") return bulk("redis_version:8.0.0\r\nrole:master\r\n");
    if (name!.toUpperCase() !== "EVALSHA") return `-ERR unknown command '${name}'\r\n`;
    const script = Object.entries(scripts).find(([, { sha1 }]) => sha1 === first)![0];
    const plain = script === "open" ? array(integer(1), integer(1), integer(0)) : array(integer(1));
    return answers[script as keyof typeof scripts]?.() ?? plain;
  });
  onTestFinished(() => server.stop());
  const options = { connection: server.url, enqueueTimeoutMs: 200, wakeups: false };
  const queue = new Queue<number>("queue", options);
  onTestFinished(() => queue.close());
  return queue;
}

describe.each(Object.entries(HOSTILE))("%s", (_, hostile) => {
  test("as the answer of a claim is reported, and the worker goes on", async () => {
    const replies = [NOTHING, hostile, hostile];
    const queue = await serve({ claim: () => replies.shift() ?? job(bulk("good")) });
    const { worker, seen } = watchedWorker(queue, () => undefined, { pollIntervalMs: 10 });
    await worker.start();
    await waitFor(() => seen.completed.some(({ job: { id } }) => id === "good"));
    for (const error of seen.error) expect(error).toBeInstanceOf(HoldfastError);
    expect(worker.health().healthy).toBe(true);
    await worker.close({ timeoutMs: 0 });
  });

  test("as the answer of any other call rejects it, or is taken for what it says", async () => {
    const queue = await serve({
      enqueue: () => hostile,
      peek: () => hostile,
      stats: () => hostile,
      cancel: () => hostile,
      reschedule: () => hostile,
      listDead: () => hostile,
      pause: () => hostile,
    });
    const calls = [
      () => queue.enqueue(1),
      () => queue.get("x"),
      () => queue.stats(),
      () => queue.cancel("x"),
      () => queue.reschedule("x", { delayMs: 1 }),
      () => queue.dead.list(),
      () => queue.pause(),
    ];
    for (const call of calls) {
      const error: unknown = await call().then(
        () => undefined,
        (reason: unknown) => reason,
      );
      if (error !== undefined) expect(error).toBeInstanceOf(HoldfastError);
    }
  });
});
