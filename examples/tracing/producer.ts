/** Takes orders, each within a trace of its own as a web server would, and enqueues their payments. */
import type { EnqueueOptions } from "holdfast";
import { openPayments, type Payment } from "./queue.ts";
import { inSpan, startTracing } from "./sdk.ts";

const ORDERS: readonly (Payment & EnqueueOptions)[] = [
  { id: "order-1", amountCents: 1_200, answers: ["accepts"], delayMs: 300 },
  { id: "order-2", amountCents: 4_500, answers: ["times out", "accepts"] },
  { id: "order-3", amountCents: 800, answers: ["reports it stolen"] },
  // Soon after and only once: this one's payment may well be a part of the order's own trace.
  { id: "order-4", amountCents: 9_900, answers: ["accepts"], trace: "parent" },
  {
    id: "order-5",
    amountCents: 2_500,
    answers: ["says nothing", "times out", "accepts"],
    delayMs: 1_000,
  },
];

const stopTracing = startTracing("producer");
const queue = openPayments();
for (const { amountCents, answers, ...options } of ORDERS) {
  await inSpan("POST /orders", () => queue.enqueue({ amountCents, answers }, options));
}
await queue.close();
await stopTracing();
