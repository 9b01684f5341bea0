/** One job through the Redis of the URL in the arguments, with polling too slow to help. */
import { once } from "node:events";
import { Queue, Worker } from "../../../src/index.ts";

const queue = new Queue<string>(process.argv[3]!, { connection: process.argv[2]! });
const worker = new Worker(queue, () => undefined, { pollIntervalMs: 600_000 });
await worker.start();
const completed = once(worker, "completed");
await queue.enqueue("x");
await completed;
await worker.close();
await queue.close();
process.stdout.write("completed\n");
