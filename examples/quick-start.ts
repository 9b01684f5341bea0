/** Schedules a job and runs it. Start it with REDIS_URL set, or with a Redis on 127.0.0.1:6379. */
import { Queue, Worker } from "holdfast";

const emails = new Queue<{ to: string; subject: string }>("emails", {
  connection: process.env.REDIS_URL ?? "redis://127.0.0.1:6379",
});

const worker = new Worker(emails, async (job) => {
  console.log(`to ${job.data.to}: ${job.data.subject} (attempt ${job.attempt})`);
});
await worker.start();

const { id, dueAt } = await emails.enqueue(
  { to: "ada@example.com", subject: "Welcome" },
  { delayMs: 2_000 },
);
console.log(`job ${id} is due at ${dueAt?.toISOString()}`);

await new Promise((resolve) => worker.once("completed", resolve));
await worker.close();
await emails.close();
