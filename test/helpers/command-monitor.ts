/** Watches what a server is sent, with holdfast's scripts by their names. */
import type { Redis } from "ioredis";
import * as scripts from "../../src/scripts/generated.ts";
import { CommandMonitor } from "../../tools/redis/command-monitor.ts";

const scriptNames = new Map<string, string>(
  Object.values(scripts).map(({ sha1, name }) => [sha1, name]),
);

/** Loads all scripts as well, so that no call has to. To be opened before the first test, and closed. */
export async function openCommandMonitor(admin: Redis): Promise<CommandMonitor> {
  for (const { source } of Object.values(scripts)) await admin.script("LOAD", source);
  return CommandMonitor.open(admin, nameOf);
}

/** The script's name for an EVALSHA, otherwise the command in capitals, `CLUSTER` with its subcommand. */
function nameOf([command = "", subject = ""]: readonly string[]): string {
  const name = command.toUpperCase();
  if (name === "EVALSHA") return scriptNames.get(subject) ?? subject;
  return name === "CLUSTER" ? `${name} ${subject.toUpperCase()}` : name;
}
