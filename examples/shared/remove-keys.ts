/** Leaves a Redis as it was found. */
import { Redis } from "ioredis";

/** Removes all keys that begin with a prefix. */
export async function removeKeys(redisUrl: string, prefix: string): Promise<void> {
  const client = new Redis(redisUrl, { maxRetriesPerRequest: 1 });
  try {
    for await (const keys of client.scanStream({ match: `${prefix}:*`, count: 10_000 })) {
      if ((keys as string[]).length > 0) {
        await client.unlink(keys as string[]);
      }
    }
  } finally {
    client.disconnect();
  }
}
