import { expect, expectTypeOf, test } from "vitest";
import { z } from "zod";
import * as holdfast from "../../src/index.ts";
import { Queue, Worker } from "../../src/index.ts";

test("the public surface", () => {
  expect(Object.keys(holdfast).toSorted()).toEqual([
    "ClockJumpError",
    "ClosedError",
    "DeadLetter",
    "DeadLetters",
    "DurabilityError",
    "EnqueueUnconfirmedError",
    "HandlerTimeoutError",
    "HoldfastError",
    "IncompatibleDataError",
    "InvalidOptionError",
    "LeaseLostError",
    "OverloadedError",
    "PayloadError",
    "Queue",
    "QueueFullError",
    "RedisRefusedError",
    "RedisUnavailableError",
    "RetryLater",
    "UnexpectedError",
    "UnsafeRedisError",
    "Worker",
    "WorkerClosingError",
    "exponential",
    "fixed",
    "formatVerifyReport",
    "observeQueue",
  ]);
});

interface Email {
  to: string;
}

test("types go from the queue to the handler", async () => {
  const emails = new Queue<Email>("emails");
  expectTypeOf(emails.enqueue).parameter(0).toEqualTypeOf<Email>();
  const worker = new Worker(emails, (job) => {
    expectTypeOf(job.data).toEqualTypeOf<Email>();
  });
  worker.on("completed", ({ job, durationMs }) => {
    expectTypeOf(job.data).toEqualTypeOf<Email>();
    expectTypeOf(durationMs).toEqualTypeOf<number>();
  });
  expectTypeOf(emails.claim).returns.resolves.items.toHaveProperty("data").toEqualTypeOf<Email>();
  // @ts-expect-error: not an email
  void (() => emails.enqueue({ from: "x" }));
  await emails.close();
});

test("a schema gives both types: what is enqueued, and what the handler gets", async () => {
  const schema = z.object({ at: z.string().transform((text) => new Date(text)) });
  const reminders = new Queue("reminders", { schema });
  expectTypeOf(reminders.enqueue).parameter(0).toEqualTypeOf<{ at: string }>();
  new Worker(reminders, ({ data }) => {
    expectTypeOf(data).toEqualTypeOf<{ at: Date }>();
  });
  await reminders.close();
});
