/** What is stored is checked again when it is claimed: what must not run is buried. */
import { once } from "node:events";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { Worker } from "../../src/index.ts";
import { gate, testQueue, testWorker } from "../helpers/holdfast.ts";
import { failOnLeaks } from "../helpers/leak-check.ts";

failOnLeaks();

describe("payloads that must not run", () => {
  test("a damaged envelope is buried with the reason, and the worker goes on", async () => {
    const { queue, redis, keys } = testQueue<string>();
    await queue.enqueue("x", { id: "damaged", delayMs: 0 });
    await redis.hset(keys.jobs, "damaged", "garbage");
    await queue.enqueue("good");
    const ran: string[] = [];
    const worker = new Worker(queue, (job) => void ran.push(job.data));
    const dead = once(worker, "dead");
    const completed = once(worker, "completed");
    await worker.start();
    expect((await dead)[0]).toMatchObject({ id: "damaged", job: undefined });
    await completed;
    await worker.close();
    expect(ran).toEqual(["good"]);
    const [letter] = (await queue.dead.list()).jobs;
    expect(letter).toMatchObject({ id: "damaged", data: undefined, failedAttempts: 0 });
    expect(letter!.lastError).toContain("envelope");
    expect(letter!.damage).toContain("envelope");
  });

  test("a payload that fails the schema at claim is buried", async () => {
    const { queue, another } = testQueue<{ n: unknown }>();
    await queue.enqueue({ n: "one" });
    const strict = another({ schema: z.object({ n: z.number() }) as never });
    const worker = await testWorker(strict, () => undefined);
    const [dead] = (await once(worker, "dead")) as [{ reason: string }];
    expect(dead.reason).toMatch(/PayloadError: .*schema: n: /);
  });

  test("a schema that throws does not stop the worker", async () => {
    const { queue, another } = testQueue<string>();
    await queue.enqueue("x");
    const schema = {
      "~standard": {
        version: 1 as const,
        vendor: "test",
        validate: () => {
          throw new Error("broken schema");
        },
      },
    };
    const worker = await testWorker(another({ schema }), () => undefined);
    const [dead] = (await once(worker, "dead")) as [{ reason: string }];
    expect(dead.reason).toContain("broken schema");
  });

  test("the handler gets the schema's output", async () => {
    const schema = z.object({ at: z.string().transform((text) => new Date(text)) });
    const { queue } = testQueue({ schema });
    await queue.enqueue({ at: "2030-01-02" });
    const got = gate<Date>();
    await testWorker(queue, (job) => got.resolve(job.data.at));
    expect(await got.promise).toEqual(new Date("2030-01-02"));
  });
});
