import type { TestProject } from "vitest/node";
import { findRedis } from "../tools/redis/find-redis.ts";

declare module "vitest" {
  interface ProvidedContext {
    redisUrl: string;
  }
}

/** One Redis for the whole run, shared by all test files. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const redis = await findRedis({ prefer: "engine" });
  project.provide("redisUrl", redis.url);
  return () => redis.stop();
}
