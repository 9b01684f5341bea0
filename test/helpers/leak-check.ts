import { beforeEach, onTestFinished } from "vitest";
import { watchResources } from "./resource-watch.ts";

/**
 * Fails every test of the file (or of the `describe` it is called in) that leaves a TCP socket, a
 * listening server or a timer behind. Call it before other hooks. It looks after all `afterEach` and
 * `onTestFinished` functions have run, whatever their order, so they may do the closing. Not for
 * concurrent tests, nor for tests that make connections shared with later tests reconnect.
 */
export function failOnLeaks(): void {
  beforeEach(() => {
    const watch = watchResources();
    onTestFinished(async () => {
      try {
        const leftovers = await watch.leftovers();
        if (leftovers.length > 0) {
          throw new Error(`The test left behind:\n  ${leftovers.join("\n  ")}`);
        }
      } finally {
        watch.end();
      }
    });
  });
}
