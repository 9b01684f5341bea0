import { createHook } from "node:async_hooks";
import { setImmediate as turn } from "node:timers/promises";

/**
 * Closing a socket takes a few turns of the event loop, a goodbye to the server a few more; on a busy
 * machine a turn may take long. Only a test that fails waits it out.
 */
const defaultGraceMs = 5_000;

/**
 * A client that reconnects without end has neither socket nor timer for moments. So one quiet turn
 * says nothing.
 */
const quietTurns = 5;

const labels = new Map([
  ["TCPWRAP", "TCP socket"],
  ["TCPSERVERWRAP", "TCP server"],
  ["Timeout", "timer"],
]);

interface Resource {
  label: string;
  origin: string;
  handle: { hasRef?: () => boolean };
}

export interface ResourceWatch {
  /** What was made since the watch began and is still there, after a time of grace. */
  leftovers(graceMs?: number): Promise<string[]>;
  end(): void;
}

/**
 * Watches which sockets, listening servers and timers are made from now on and not ended. Timers that
 * do not keep the process alive are left out: the test runner has such, and they hold nothing up.
 */
export function watchResources(): ResourceWatch {
  const resources = new Map<number, Resource>();
  const hook = createHook({
    init(asyncId, type, _triggerAsyncId, handle) {
      const label = labels.get(type);
      if (label !== undefined) {
        resources.set(asyncId, { label, origin: callSite(), handle });
      }
    },
    destroy(asyncId) {
      resources.delete(asyncId);
    },
  });
  hook.enable();

  const alive = () => [...resources.values()].filter(isAlive);
  return {
    async leftovers(graceMs = defaultGraceMs) {
      const deadline = performance.now() + graceMs;
      for (let quiet = 0; quiet < quietTurns && performance.now() < deadline;) {
        await turn();
        quiet = alive().length === 0 ? quiet + 1 : 0;
      }
      return alive().map(({ label, origin }) => `${label} made ${origin}`);
    },
    end() {
      hook.disable();
      resources.clear();
    },
  };
}

function isAlive({ label, handle }: Resource): boolean {
  return label !== "timer" || handle.hasRef?.() !== false;
}

function callSite(): string {
  const lines = new Error("origin").stack?.split("\n") ?? [];
  const isOurs = (line: string) => !line.includes("node:") && !line.includes(import.meta.filename);
  return lines.slice(1).find(isOurs)?.trim() ?? "by the runtime, outside of any call";
}
