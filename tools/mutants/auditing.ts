/** Ways to break the audit and its repairs. */
import { aboutFailing, equivalent, mutant, type Mutants, PARTS, unchecked } from "./mutant.ts";

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
  mutant("misses names without a job", "  if not is_job(id) then\n", "  if false then\n"),
  mutant("misses a count without a job", "not is_job(id) or not is_count", "not is_count"),
  mutant("misses a count that is none", " or not is_count(value)", ""),
  mutant("says no token", `redis.call("HGET", meta_key, "token") or "none"`, `"none"`),
  mutant("says a token before the first claim", `or "none"`, `or "0"`),
  mutant("reads a part whole", `"COUNT", page_size`, `"COUNT", 1000000`),
  mutant("ends with the first page", "= page[1],", `= "0",`),
  mutant("counts names and values as entries", "#page[2] / 2,", "#page[2],"),
  mutant("counts the bytes of names alone", " + #page[2][at + 1]", ""),
  mutant("counts the bytes of values alone", " + #page[2][at] +", " +"),
];

const SEEN_BY_SCAN = `(redis.call("HGET", meta_key, "token") or "none") == scan_token`;
const SEARCHES = "local sees_all = lease_count <= max_leases";
const LEASES_TO_REMOVE = "is_dangling and 1 or 2, -1";

const concluding = [
  mutant("believes a scan since which jobs were claimed", SEEN_BY_SCAN, `scan_token ~= ""`),
  mutant("believes in a scan that there was not", SEEN_BY_SCAN, "true"),
  mutant("believes no scan", SEEN_BY_SCAN, "false"),
  mutant("believes no scan before the first claim", `or "none") ==`, `or "0") ==`),
  mutant("searches any number of leases", SEARCHES, "local sees_all = true"),
  mutant("searches one lease too few", "lease_count <= max_leases", "lease_count < max_leases"),
  mutant("searches nothing", SEARCHES, "local sees_all = false"),
  mutant("takes no scan for one", `scan_token ~= "" and `, ""),
  mutant("takes every lease for a listed id's", "if id and leases_of[id] then", "if id then"),
  mutant(
    "believes in leases that are gone",
    `if redis.call("ZSCORE", processing_key, lease) then`,
    "if true then",
  ),
  mutant(
    "counts the leases of an id as often as it is named",
    `seen[list[at]] and "" or list[at + 1]`,
    "list[at + 1]",
  ),
  mutant(
    "takes a job for an orphan whose lease may have been missed",
    `sees_all and "orphan" or "unknown"`,
    `"orphan"`,
  ),
  mutant("finds no orphan", `sees_all and "orphan" or "unknown"`, `"unknown"`),
  mutant("misses a job in two places", `places > 1 and "double" or `, ""),
  mutant("misses what is malformed", `is_malformed and "malformed" or `, ""),
  mutant(
    "misses a lease without a token",
    `not split_lease(id) and redis.call("ZSCORE", processing_key, id)`,
    "false",
  ),
  mutant("takes a lease for one without a token", "not split_lease(id) and ", ""),
  mutant("misses a count that is none", "count and not is_count(count)", "false"),
  mutant(
    "takes a job for none",
    `if redis.call("HEXISTS", jobs_key, id) == 0 then`,
    "if false then",
  ),
  mutant(
    "misses attempts without a job",
    `note(count and not found.has_bad_count, "attempts")`,
    "",
  ),
  mutant(
    "misses an error without a job",
    `note(redis.call("HEXISTS", errors_key, id) == 1, "errors")`,
    "",
  ),
];

const MAKES_DUE = `    if found.kind == "orphan" then
      redis.call("ZADD", delayed_key, now, id)
    end`;

const mending = [
  unchecked(
    "errors",
    `redis.call("HLEN", errors_key) -- checks the type: nothing may fail after the first write`,
  ),
  mutant("mends without being asked", "if mends and found.kind", "if found.kind"),
  mutant("mends what is unknown", ` and found.kind ~= "unknown" then`, " then"),
  equivalent(
    "what is sound has nothing that the removals would find",
    mutant("mends what is sound", `found.kind ~= "sound" and `, ""),
  ),
  mutant("keeps the lowest token", "return a.token > b.token", "return a.token < b.token"),
  mutant("keeps all leases of a double", LEASES_TO_REMOVE, "is_dangling and 1 or 99, -1"),
  mutant("keeps two leases of a double", LEASES_TO_REMOVE, "is_dangling and 1 or 3, -1"),
  mutant("keeps no lease of a double", LEASES_TO_REMOVE, "1, -1"),
  mutant("keeps a lease of no job", LEASES_TO_REMOVE, "2, -1"),
  mutant("keeps a lease without a token", `redis.call("ZREM", processing_key, id)`, ""),
  mutant(
    "keeps a count that is none",
    "if is_dangling or found.has_bad_count then",
    "if is_dangling then",
  ),
  mutant(
    "keeps the attempts of no job",
    "if is_dangling or found.has_bad_count then",
    "if found.has_bad_count then",
  ),
  mutant("keeps the error of no job", `redis.call("HDEL", errors_key, id)`, ""),
  mutant(
    "keeps the due time of no job",
    `is_dangling or found.kind == "orphan"`,
    `found.kind == "orphan"`,
  ),
  aboutFailing(mutant("writes an orphan before it removes", ` or found.kind == "orphan"`, "")),
  mutant("keeps a held job in delayed", " or #found.leases > 0 then", " then"),
  mutant(
    "takes a job out of delayed that is held nowhere",
    `if is_dangling or found.kind == "orphan" or #found.leases > 0 then`,
    "if true then",
  ),
  mutant(
    "keeps the death of no job",
    `is_dangling or found.kind == "double"`,
    `found.kind == "double"`,
  ),
  mutant("keeps the death of a double", ` or found.kind == "double" then`, " then"),
  mutant(
    "takes a job out of dead that is nowhere else",
    `or found.kind == "double" then`,
    "or true then",
  ),
  mutant(
    "removes an orphan that it has just made due",
    `remove_breach(id, found)\n${MAKES_DUE}`,
    `${MAKES_DUE}\n    remove_breach(id, found)`,
  ),
  mutant("leaves an orphan in no place", `redis.call("ZADD", delayed_key, now, id)`, ""),
];

const TOTALS_ADDED = `totals.completed + totals.cancelled + totals.purged + redis.call("HLEN", jobs_key)`;

const mendQueue = [
  ...["token", "retried", "expired", "buried", "redriven"].map((field) =>
    mutant(`does not look at ${field}`, `"${field}"`, `"no such field"`),
  ),
  ...["completed", "cancelled", "purged"].flatMap((field) => [
    mutant(
      `does not look at ${field}`,
      `local field = fields[index]`,
      `local field = fields[index]
  if field == "${field}" then value = "0" end`,
    ),
    mutant(`does not add ${field}`, TOTALS_ADDED, TOTALS_ADDED.replace(`totals.${field}`, "0")),
  ]),
  mutant("adds no stored jobs", ` + redis.call("HLEN", jobs_key)`, ""),
  mutant(
    "adds what a spoilt total says",
    "value and is_count(value) and tonumber",
    "value and tonumber",
  ),
  mutant(
    "fails at a total that is not there",
    "value and is_count(value) and",
    "is_count(value) and",
  ),
  mutant(
    "names no total that is spoilt",
    `wrong[#wrong + 1] = field .. " in meta`,
    `local _ = field .. " in meta`,
  ),
  mutant("keeps a total that is spoilt", "spoilt[#spoilt + 1] = field", ""),
  mutant("compares no totals", "if totals.enqueued ~= counted then", "if false then"),
  mutant("misses jobs that were lost", "totals.enqueued ~= counted", "totals.enqueued < counted"),
  mutant("misses jobs too many", "totals.enqueued ~= counted", "totals.enqueued > counted"),
  ...PARTS.map((part) =>
    mutant(`misses a time to live of ${part}`, `check_life("${part}", ${part}_key)`, ""),
  ),
  mutant("keeps times to live", `redis.call("PERSIST", key)`, ""),
  mutant("mends without being asked", "if mends and #wrong > 0 then", "if #wrong > 0 then"),
  mutant("writes where nothing is wrong", "if mends and #wrong > 0 then", "if mends then"),
  aboutFailing(
    mutant(
      "writes before it removes",
      `redis.call("HDEL", meta_key, "enqueued", unpack(spoilt))`,
      `if #spoilt > 0 then redis.call("HDEL", meta_key, unpack(spoilt)) end`,
    ),
  ),
  mutant("lets enqueued be", `redis.call("HSET", meta_key, "enqueued", counted)`, ""),
];

const count = [
  mutant("takes what merely ends in digits", `"^%d+$"`, `"%d+$"`),
  mutant("takes what merely begins with digits", `"^%d+$"`, `"^%d+"`),
  mutant("fails at an empty text", `"^%d+$"`, `"^%d*$"`),
  mutant("takes a count that is not exact", " and tonumber(value) <= 9007199254740992", ""),
  mutant("refuses the largest count", "<= 9007199254740992", "< 9007199254740992"),
];

export const auditing: Mutants = {
  "verify.lua": verify,
  "mend.lua": [...concluding, ...mending],
  "mend-queue.lua": mendQueue,
  "lib/count.lua": count,
};
