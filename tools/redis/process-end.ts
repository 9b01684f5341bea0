/**
 * Clean-ups for whatever outlives this process if it is not ended on purpose. They are synchronous,
 * because nothing else runs in an `exit` hook.
 */
const pending = new Set<() => void>();
const endingSignals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
let installed = false;

/** Returns a function that withdraws the clean-up, for when it was done in the ordinary way. */
export function atProcessEnd(cleanUp: () => void): () => void {
  if (!installed) {
    installed = true;
    process.on("exit", runAll);
    for (const signal of endingSignals) {
      // First in line, to still see the listeners that `once` removes as it calls them.
      process.prependListener(signal, endBySignal);
    }
  }
  pending.add(cleanUp);
  return () => {
    pending.delete(cleanUp);
  };
}

function runAll(): void {
  for (const cleanUp of pending) {
    pending.delete(cleanUp);
    try {
      cleanUp();
    } catch (error) {
      process.stderr.write(`A clean-up at the end of the process failed: ${String(error)}\n`);
    }
  }
}

/**
 * A program with its own handler ends in its own time, and may need its Redis until then: its `exit`
 * runs the clean-ups. Without one, the signal does what it would have done without us.
 */
function endBySignal(signal: NodeJS.Signals): void {
  if (process.listenerCount(signal) > 1 + signalExitListeners()) {
    return;
  }
  runAll();
  process.off(signal, endBySignal);
  process.kill(process.pid, signal);
}

/**
 * The package signal-exit, which testcontainers brings along, listens to every signal and steps back
 * when others do, as we do: each would wait for the other. It shares its count for this purpose.
 */
function signalExitListeners(): number {
  const shared = process as unknown as Record<string | symbol, { count?: number } | undefined>;
  const version3 = shared["__signal_exit_emitter__"];
  const version4 = (globalThis as unknown as typeof shared)[Symbol.for("signal-exit emitter")];
  return (version3?.count ?? 0) + (version4?.count ?? 0);
}
