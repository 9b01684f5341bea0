/** The queue of payments, as its producer and its workers share it. */
import { Queue } from "holdfast";

/** What the card company does when it is asked. Silence lasts until the process that asked is killed. */
export type Answer = "accepts" | "times out" | "reports it stolen" | "says nothing";

export interface Payment {
  readonly amountCents: number;
  /** At each attempt; the last of them from then on. */
  readonly answers: readonly Answer[];
}

export function openPayments(): Queue<Payment> {
  return new Queue("payments", {
    connection: process.env.REDIS_URL ?? "redis://127.0.0.1:6379",
    prefix: process.env.QUEUE_PREFIX ?? "holdfast",
  });
}
