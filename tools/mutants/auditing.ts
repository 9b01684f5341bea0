/** Ways to break the audit and its repairs. */
import { mutant, type Mutants, unchecked, writesFirst } from "./mutant.ts";

const verify = [
  mutant("misses a job in two places", "if delayed and dead then", "if false then"),
  mutant("misses a job in no place", "elseif not delayed and not dead then", "elseif false then"),
  mutant("names no lease", `    find("leased", lease)\n`, ""),
  mutant("misses a lease without a token", `      find("suspect", lease)\n`, ""),
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
  mutant(
    "misses a count without a job",
    "not is_job(id) or not is_count(value)",
    "not is_count(value)",
  ),
  mutant("misses a spoilt count", "not is_job(id) or not is_count(value)", "not is_job(id)"),
  mutant("misses names without a job", "  if not is_job(id) then\n", "  if false then\n"),
  mutant("tells no token", `redis.call("HGET", meta_key, "token") or "none"`, `"none"`),
  mutant("counts no bytes", "bytes + #page[2][at] + #page[2][at + 1]", "bytes"),
];

const judging = [
  mutant("searches any number of leases", "= lease_count <= max_leases", "= true"),
  mutant("searches no leases", "= lease_count <= max_leases", "= false"),
  mutant(
    "relies on a scan before the last claim",
    `(redis.call("HGET", meta_key, "token") or "none") == scan_token`,
    "true",
  ),
  mutant(
    "relies on no scan",
    `(redis.call("HGET", meta_key, "token") or "none") == scan_token`,
    "false",
  ),
  mutant(
    "believes in leases that are gone",
    `if redis.call("ZSCORE", processing_key, lease) then`,
    "if true then",
  ),
  mutant("takes a job in doubt for an orphan", `sees_all and "orphan" or "unknown"`, `"orphan"`),
  mutant("misses a job in no place", `sees_all and "orphan" or "unknown"`, `"sound"`),
  mutant("misses a job in two places", `places > 1 and "double"`, `places > 2 and "double"`),
  mutant(
    "misses a lease without a token",
    `not split_lease(id) and redis.call("ZSCORE", processing_key, id)`,
    "false",
  ),
  mutant("misses a spoilt count", "count and not is_count(count),", "false,"),
  mutant("misses a count without a job", `note(count and not found.has_bad_count, "attempts")`, ""),
  mutant(
    "misses an error without a job",
    `note(redis.call("HEXISTS", errors_key, id) == 1, "errors")`,
    "",
  ),
];

const mending = [
  mutant(
    "mends without being asked",
    `if mends and found.kind ~= "sound"`,
    `if found.kind ~= "sound"`,
  ),
  unchecked(
    "errors",
    `redis.call("HLEN", errors_key) -- checks the type: nothing may fail after the first write`,
  ),
  mutant("keeps the lowest token", "return a.token > b.token", "return a.token < b.token"),
  mutant(
    "writes an orphan before it removes",
    `found.kind == "orphan" or #found.leases > 0`,
    "#found.leases > 0",
  ),
  mutant("leaves an orphan", `redis.call("ZADD", delayed_key, now, id)`, ""),
  mutant(
    "takes a double out of delayed that is held nowhere",
    `is_dangling or found.kind == "orphan" or #found.leases > 0`,
    "true",
  ),
  mutant("keeps all leases of a double", "is_dangling and 1 or 2", "is_dangling and 1 or 99"),
  mutant("keeps no lease of a double", "is_dangling and 1 or 2", "1"),
  mutant("keeps a lease of no job", "is_dangling and 1 or 2", "2"),
  mutant("keeps a lease without a token", `redis.call("ZREM", processing_key, id)`, ""),
  mutant(
    "keeps a spoilt count",
    "if is_dangling or found.has_bad_count then",
    "if is_dangling then",
  ),
  mutant("keeps a count without a job", `redis.call("HDEL", attempts_key, id)`, ""),
  mutant("keeps an error without a job", `redis.call("HDEL", errors_key, id)`, ""),
  mutant("leaves a double among the dead", `redis.call("ZREM", dead_key, id)`, ""),
];

const mendQueue = [
  mutant("mends without being asked", "if mends and #wrong > 0 then", "if #wrong > 0 then"),
  mutant("writes where nothing is wrong", "if mends and #wrong > 0 then", "if mends then"),
  mutant("misses a spoilt total", "if value and not is_count(value) then", "if false then"),
  mutant(
    "adds up spoilt totals",
    "value and is_count(value) and tonumber(value) or 0",
    "value and tonumber(value) or 0",
  ),
  mutant("keeps spoilt totals", `"enqueued", unpack(spoilt))`, `"enqueued")`),
  mutant("leaves out completed", "totals.completed + ", ""),
  mutant("leaves out cancelled", "totals.cancelled + ", ""),
  mutant("leaves out purged", "totals.purged + ", ""),
  mutant("leaves out stored jobs", ` + redis.call("HLEN", jobs_key)`, ""),
  mutant("misses totals that do not add up", "if totals.enqueued ~= counted then", "if false then"),
  mutant("leaves enqueued", `redis.call("HSET", meta_key, "enqueued", counted)`, ""),
  mutant("misses a time to live", `if redis.call("PTTL", key) >= 0 then`, "if false then"),
  mutant("leaves a time to live", `redis.call("PERSIST", key)`, ""),
  writesFirst(
    `redis.call("HDEL", meta_key, "enqueued", unpack(spoilt))`,
    `redis.call("HSET", meta_key, "token", 1)`,
  ),
];

const count = [
  mutant("takes a fraction for a count", `"^%d+$"`, `"^%d+"`),
  mutant("takes a sign for a count", `"^%d+$"`, `"%d+$"`),
  mutant("takes any number of digits", " and tonumber(value) <= 9007199254740992", ""),
];

export const auditing: Mutants = {
  "verify.lua": verify,
  "mend.lua": [...judging, ...mending],
  "mend-queue.lua": mendQueue,
  "lib/count.lua": count,
};
