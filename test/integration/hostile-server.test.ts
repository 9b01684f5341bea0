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
const NOTHING = array(integer(7), integer(Date.now()), integer(10), integer(-1));
/** A claim that found one job. */
const job = (id: string, envelope = bulk("1m8v0000-abc\n1"), attempts = integer(0)) =>
  array(
    integer(7),
    integer(Date.now()),
    integer(10),
    integer(-1),
    id,
    envelope,
    integer(1),
    attempts,
  );

const HOSTILE: Readonly<Record<string, string | Buffer>> = {
  "a number": integer(1),
  nothing: NULL,
  "a text": bulk("OK"),
  "an error": "-\r\n",
  "an error of the server": "-ERR \0 %s {} $100\r\n",
  "an empty list": "*0\r\n",
  "no list": "*-1\r\n",
  "a short list": array(integer(1), integer(2)),
  "a list that does not come out even": array(
    integer(1),
    integer(2),
    integer(3),
    integer(4),
    bulk("x"),
  ),
  "a list of lists": array("*0\r\n", "*0\r\n", "*0\r\n", "*0\r\n"),
  "a list of nothing": array(NULL, NULL, NULL, NULL),
  "numbers that are too large": array(...Array<string>(4).fill(integer("9223372036854775807"))),
  "numbers that are texts": array(bulk("a"), bulk("NaN"), bulk("{}"), bulk("-")),
  "a job of nothing": job(NULL, NULL, NULL),
  "a job of numbers": job(integer(1), integer(2), integer(3)),
  "a job of lists": job("*0\r\n", "*0\r\n", "*0\r\n"),
  "a job that was not asked for, a thousand times": array(
    integer(7),
    integer(1),
    integer(-1),
    integer(-1),
    ...Array.from(
      { length: 1_000 },
      (_, n) => bulk(`${n}`) + bulk("no envelope") + integer(1) + integer(0),
    ),
  ).replace(/^\*\d+/, "*4004"),
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
