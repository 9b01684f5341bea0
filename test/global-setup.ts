import type { TestProject } from "vitest/node";
import { RedisCluster } from "../tools/redis/cluster.ts";
import { findRedis } from "../tools/redis/find-redis.ts";

declare module "vitest" {
  interface ProvidedContext {
    redisUrl: string;
    /** Nodes of the cluster that tests run on instead, with HOLDFAST_TEST_CLUSTER=1; otherwise none. */
    clusterNodes: { host: string; port: number }[];
  }
}

/** One Redis for the whole run, shared by all test files; and one cluster, where it is asked for. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const redis = await findRedis({ prefer: "engine" });
  project.provide("redisUrl", redis.url);
  const cluster = process.env["HOLDFAST_TEST_CLUSTER"] ? await RedisCluster.start() : undefined;
  project.provide("clusterNodes", cluster?.addresses ?? []);
  return async () => {
    await Promise.all([redis.stop(), cluster?.stop()]);
  };
}
