/** The queue of webhooks to deliver, as its producer and its workers share it. */
import { Queue } from "holdfast";
import { z } from "zod";

const webhookSchema = z.object({
  url: z.url({ protocol: /^https?$/ }),
  event: z.object({ type: z.string().min(1), data: z.record(z.string(), z.unknown()) }),
});

export type Webhook = z.infer<typeof webhookSchema>;

export function openWebhookQueue(redisUrl: string, prefix: string): Queue<Webhook> {
  return new Queue("webhooks", { connection: redisUrl, prefix, schema: webhookSchema });
}
