/**
 * OpenTelemetry's SDK 3, with the API 1.10 that it needs, beside the API 1.9 that holdfast has here: the older
 * copy works with an SDK that is registered through a newer one. CI runs this on Node 24, for which SDK 3 is made.
 */
import { registerSdk3 } from "holdfast-test-sdk3";
import { expect, onTestFinished, test } from "vitest";
import { testQueue } from "../helpers/holdfast.ts";
import { failOnLeaks } from "../helpers/leak-check.ts";
import { waitFor } from "../helpers/wait-for.ts";
import { watchedWorker } from "../helpers/watched-worker.ts";

failOnLeaks();

test.each([{ when: "before" }, { when: "after" }])(
  "registered $when queue and worker: spans, links and metrics",
  async ({ when }) => {
    const register = () => {
      const sdk = registerSdk3();
      onTestFinished(sdk.unregister);
      return sdk;
    };
    const early = when === "before" ? register() : undefined;
    const { queue } = testQueue<string>();
    const { worker, next } = watchedWorker(queue, () => undefined);
    await worker.start();
    if (!early) {
      const unheard = next("completed");
      await queue.enqueue("unheard");
      await unheard;
    }
    const sdk = early ?? register();
    await queue.enqueue("heard");
    await waitFor(() => sdk.spans().some(({ name }) => name === "complete"));
    const [enqueue, process, complete] = sdk.spans();
    expect(enqueue).toMatchObject({ name: "enqueue", isRoot: true });
    expect(process).toMatchObject({ name: "process", isRoot: true, linksTo: [enqueue!.spanId] });
    expect(complete).toMatchObject({ name: "complete", isRoot: false });
    expect(await sdk.metricNames()).toEqual(
      expect.arrayContaining([
        "messaging.client.sent.messages",
        "messaging.client.consumed.messages",
        "messaging.client.operation.duration",
        "messaging.process.duration",
        "holdfast.job.schedule_lag",
        "holdfast.worker.inflight",
      ]),
    );
  },
);
