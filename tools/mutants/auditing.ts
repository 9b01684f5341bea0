/** Ways to break the audit and its repairs. */
import { mutant, type Mutants } from "./mutant.ts";

const verify = [
  mutant("misses a job in two places", "if delayed and dead then", "if false then"),
  mutant("misses a job in no place", "elseif not delayed and not dead then", "elseif false then"),
  mutant("names no held job", "    if id then\n", "    if false then\n"),
  mutant(
    "misses a lease without a job",
    `if not is_job(id) or redis.call("ZSCORE", delayed_key, id)`,
    `if redis.call("ZSCORE", delayed_key, id)`,
  ),
  mutant(
    "misses a job held and delayed",
    ` or redis.call("ZSCORE", delayed_key, id) or redis.call("ZSCORE", dead_key, id)`,
    ` or redis.call("ZSCORE", dead_key, id)`,
  ),
  mutant(
    "misses a job held and dead",
    `redis.call("ZSCORE", delayed_key, id) or redis.call("ZSCORE", dead_key, id) then`,
    `redis.call("ZSCORE", delayed_key, id) then`,
  ),
  mutant("misses names without a job", "  if not is_job(id) then\n", "  if false then\n"),
];

const mend = [
  mutant("mends without being asked", "if mends and remedies[kind] then", "if remedies[kind] then"),
  mutant(
    "searches any number of leases",
    `redis.call("ZCARD", processing_key) <= max_leases`,
    "true",
  ),
  mutant("keeps the lowest token", "return a.token > b.token", "return a.token < b.token"),
  mutant("misses a job in no place", `places == 0 and "orphan"`, `places < 0 and "orphan"`),
  mutant("misses a job in two places", `places > 1 and "double"`, `places > 2 and "double"`),
  mutant("misses a count or an error without a job", "(places > 0 or has_history)", "(places > 0)"),
  mutant(
    "writes an orphan before it removes",
    `redis.call("ZREM", delayed_key, id) -- a removal first: a full Redis would refuse ZADD`,
    "",
  ),
  mutant(
    "takes a double out of delayed that is held nowhere",
    "if #(leases_of[id] or {}) > 0 then",
    "if true then",
  ),
  mutant("keeps all leases of a double", "remove_leases(id, 2)", ""),
  mutant("keeps the leases of no job", "remove_leases(id, 1)", ""),
];

export const auditing: Mutants = { "verify.lua": verify, "mend.lua": mend };
