/** From what a producer gives to what is stored. */
import type { EnqueueTelemetry } from "../../telemetry/enqueue-telemetry.ts";
import type { QueueTelemetry } from "../../telemetry/queue-telemetry.ts";
import { wallClockNow } from "../model/clock.ts";
import { encodePayload } from "../model/codec.ts";
import type { ResolvedEnqueueOptions } from "../model/enqueue-options.ts";
import { encodeEnvelope } from "../model/envelope.ts";
import type { ResolvedQueueOptions } from "../model/queue-options.ts";
import type { NewJob } from "../store/messages.ts";

/**
 * @param call undefined where nobody listens
 * @throws PayloadError if the payload cannot be encoded, or is too large
 */
export function newJob(
  data: unknown,
  { id, due, maxAttempts, headers, durability, trace }: ResolvedEnqueueOptions,
  { codec, maxPayloadBytes }: Pick<ResolvedQueueOptions, "codec" | "maxPayloadBytes">,
  telemetry: QueueTelemetry,
  call: EnqueueTelemetry | undefined,
): NewJob {
  const payload = encodePayload(codec, data, maxPayloadBytes);
  const envelope = encodeEnvelope({
    enqueuedAtMs: wallClockNow(),
    maxAttempts,
    headers,
    trace,
    traceHeaders: telemetry.contextToStore({ id, headers, trace }, call),
    payload,
  });
  return { id, envelope, due, durability };
}
