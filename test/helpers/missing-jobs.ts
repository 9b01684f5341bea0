import { Redis } from "ioredis";
import { queueKeys } from "../../src/core/store/keys.ts";

/** Which of the ids the server at `url` has no job for. */
export async function missingJobs(
  url: string,
  queueName: string,
  ids: Iterable<string>,
): Promise<string[]> {
  const redis = new Redis(url, { disconnectTimeout: 100 });
  try {
    const stored = new Set(await redis.hkeys(queueKeys("holdfast", queueName).jobs));
    return [...ids].filter((id) => !stored.has(id));
  } finally {
    redis.disconnect();
  }
}
