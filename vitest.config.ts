import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

export default defineConfig({
  resolve: {
    alias: {
      holdfast: fileURLToPath(new URL("src/index.ts", import.meta.url)),
      // The other half of the peer range, for a smoke test.
      ...(process.env["HOLDFAST_TEST_IOREDIS"] === "5" ? { ioredis: "ioredis5" } : {}),
    },
  },
  test: {
    include: ["test/**/*.test.ts"],
    globalSetup: ["test/global-setup.ts"],
    pool: "forks",
    // The tests wait more than they compute: three files at a time keep two cores busy.
    maxWorkers: Math.max(3, availableParallelism() - 1),
    // Far above what any test takes: they end by signals, and a busy machine must not fail them.
    testTimeout: 120_000,
    hookTimeout: 180_000,
  },
});
