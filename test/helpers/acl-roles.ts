/** The permissions that docs/security.md gives to each role, as users of a test's own server. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Redis } from "ioredis";
import type { RedisServer } from "../../tools/redis/server.ts";
import { uniqueName } from "./redis.ts";

const page = readFileSync(join(import.meta.dirname, "../../docs/security.md"), "utf8");
const password = "password-of-the-test";

export const ROLES = ["producer", "worker", "operator"] as const;
export type Role = (typeof ROLES)[number];

export interface RoleUser {
  readonly queueName: string;
  /** With the user's name and password. */
  readonly url: string;
  readonly commands: readonly string[];
  /** Changes the user's permissions. */
  readonly change: (...rules: string[]) => Promise<void>;
  readonly remove: () => Promise<void>;
  readonly create: () => Promise<void>;
}

/** A user that may do what the role may, on a queue of its own. */
export async function roleUser(server: RedisServer, admin: Redis, role: Role): Promise<RoleUser> {
  const line = new RegExp(`^ACL SETUSER emails-${role} (.+)$`, "m").exec(page)?.[1];
  if (line === undefined) {
    throw new Error(`docs/security.md has no rule for the role ${role}`);
  }
  const queueName = uniqueName(role);
  const rule = line.replaceAll("emails", queueName).replace("PASSWORD", password).split(" ");
  const change = async (...rules: string[]) => {
    await admin.call("ACL", "SETUSER", queueName, ...rules);
  };
  const create = () => change(...rule);
  await create();
  return {
    queueName,
    url: `redis://${queueName}:${password}@${server.host}:${server.port}`,
    commands: rule.filter((part) => part.startsWith("+")).map((part) => part.slice(1)),
    change,
    create,
    remove: async () => void (await admin.call("ACL", "DELUSER", queueName)),
  };
}
