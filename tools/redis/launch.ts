import type { ChildProcess } from "node:child_process";
import type { Socket } from "node:net";
import type { Readable } from "node:stream";
import { createInterface } from "node:readline";

/** The second is a Sentinel's. */
export const readyLine = /Ready to accept connections|Sentinel ID is/;
const portTakenLine = /Address already in use|Failed listening on port/;
const keptLines = 20;

export class PortTakenError extends Error {
  override readonly name = "PortTakenError";
}

/**
 * Resolves when the server accepts connections. From then on neither the process nor its output
 * keeps this process alive. The output is read to the end: a full pipe would stop the server.
 */
export async function launch(child: ChildProcess, timeoutMs: number): Promise<void> {
  const lastLines: string[] = [];
  await new Promise<void>((resolve, reject) => {
    const fail = (what: string) => {
      const output = lastLines.join("\n");
      const Failure = portTakenLine.test(output) ? PortTakenError : Error;
      reject(new Failure(`${child.spawnfile} ${what}. Its last lines:\n${output}`));
    };
    const timer = setTimeout(() => fail(`was not ready after ${timeoutMs} ms`), timeoutMs);
    const onLine = (line: string) => {
      lastLines.push(line);
      lastLines.splice(0, lastLines.length - keptLines);
      if (readyLine.test(line)) {
        clearTimeout(timer);
        resolve();
      }
    };
    for (const output of outputs(child)) {
      createInterface({ input: output }).on("line", onLine);
    }
    child.once("error", (error) => {
      clearTimeout(timer);
      reject(error);
    });
    child.once("close", (code, signal) => {
      clearTimeout(timer);
      fail(`ended with ${signal ?? `code ${code}`}`);
    });
  });
  child.unref();
  for (const output of outputs(child)) {
    (output as Socket).unref();
  }
}

function outputs(child: ChildProcess): Readable[] {
  return [child.stdout, child.stderr].filter((output) => output !== null);
}
