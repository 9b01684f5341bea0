/** Ways to break the audit and its repairs. */
import { mutant, type Mutants } from "./mutant.ts";

const verify = [
  mutant("misses a job in two places", "if delayed and dead then", "if false then"),
  mutant("misses a job in no place", "elseif not delayed and not dead then", "elseif false then"),
  mutant("names no held job", `find("leased", lease)`, ""),
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
  mutant(
    "mends without being asked",
    `if mends and found.kind ~= "sound"`,
    `if found.kind ~= "sound"`,
  ),
  mutant("searches any number of leases", "lease_count <= max_leases", "true"),
  mutant("trusts any scan", `or "none") == scan_token`, `or "none") ~= ""`),
  mutant(
    "trusts a scan of leases that are gone",
    `if redis.call("ZSCORE", processing_key, lease) then`,
    "if true then",
  ),
  mutant("keeps the lowest token", "return a.token > b.token", "return a.token < b.token"),
  mutant("misses a job in no place", "elseif places == 0 then", "elseif places < 0 then"),
  mutant("takes a doubt for an orphan", `sees_all and "orphan" or "unknown"`, `"orphan"`),
  mutant("misses a job in two places", `places > 1 and "double"`, `places > 2 and "double"`),
  mutant(
    "misses an error without a job",
    `note(redis.call("HEXISTS", errors_key, id) == 1, "errors")`,
    "",
  ),
  mutant(
    "writes an orphan before it removes",
    `is_dangling or found.kind == "orphan" or #found.leases > 0`,
    "is_dangling or #found.leases > 0",
  ),
  mutant(
    "takes a double out of delayed that is held nowhere",
    `found.kind == "orphan" or #found.leases > 0 then`,
    `found.kind == "orphan" or found.kind == "double" then`,
  ),
  mutant(
    "keeps all leases of a double",
    "is_dangling and 1 or 2, -1",
    "is_dangling and 1 or 9, -1",
  ),
  mutant("keeps the leases of no job", "is_dangling and 1 or 2, -1", "2, -1"),
];

export const auditing: Mutants = { "verify.lua": verify, "mend.lua": mend };
