/** Ways to break what happens to jobs that are held. */
import { aboutFailing, mutant, type Mutants, unchecked, writesFirst } from "./mutant.ts";

const COUNTING = [
  mutant("starts to count anew", "count_of(count) + 1", "1"),
  mutant("fails at a spoilt count", "count_of(count) + 1", "(count or 0) + 1"),
  mutant(
    "counts for the first job of a list",
    "= counted[index], count_of",
    "= counted[1], count_of",
  ),
  mutant("asks where nothing is counted", "#counted > 0 and redis.call", "redis.call"),
];

const ack = [
  mutant("answers 0 for what it acked a moment before", "acked[id] = true", ""),
  mutant(
    "takes a stale lease for a job that is gone",
    "jobs_key, id) == 0 then",
    "jobs_key, id) == 1 then",
  ),
  mutant("writes where nothing is held", "if last > 0 then", "if true then"),
  mutant("leaves the envelope", `redis.call("HDEL", jobs_key, unpack(ids))`, "0"),
  mutant("leaves the lease", `redis.call("ZREM", processing_key, unpack(held))`, "last"),
  mutant("settles what is not held", "  if deadline then", "  if true then"),
  mutant("takes what is not held for held", "deadline and 1 or 0", "1"),
  mutant("acks what is named twice twice", "if let_go < last then", "if false then"),
  mutant(
    "takes a stale lease named twice for gone",
    "seen[lease] and reply[index] == 1 and -1",
    "seen[lease] and -1",
  ),
  mutant("leaves the attempts", `redis.call("HDEL", attempts_key, unpack(ids))`, ""),
  mutant("leaves the error", `redis.call("HDEL", errors_key, unpack(ids))`, ""),
  mutant("never looks for attempts and errors", "if has_history then", "if false then"),
  mutant(
    "looks for attempts only",
    ` + redis.call("HLEN", errors_key) > 0`,
    ` + 0 * redis.call("HLEN", errors_key) > 0`,
  ),
  mutant("counts a batch as one", "completed + removed)", "completed + 1)"),
  mutant(
    "adds to a total that may be spoilt",
    `redis.call("HSET", meta_key, "completed", completed + removed)`,
    `redis.call("HINCRBY", meta_key, "completed", removed)`,
  ),
  writesFirst(
    `local removed = redis.call("HDEL", jobs_key, unpack(ids))`,
    `redis.call("HSET", meta_key, "completed", completed)`,
  ),
  mutant(
    "does not check the types of attempts and errors",
    `redis.call("EXISTS", attempts_key, errors_key) > 0`,
    `redis.call("EXISTS", attempts_key, errors_key) > 2`,
  ),
];

const nack = [
  unchecked(
    "delayed",
    `redis.call("ZCARD", delayed_key) -- checks the types: nothing may fail after the first write`,
  ),
  unchecked("waiting", `redis.call("ZCARD", waiting_key)`),
  mutant("takes any delay", "milliseconds(list[at + 2])", "tonumber(list[at + 2])"),
  mutant("ignores the delay", "local due = now + delay_ms", "local due = now"),
  mutant("answers that no job is gone", "reply[index] = exists and 0 or -1", "reply[index] = 0"),
  mutant("delays a lease without a job", "if lease and exists then", "if lease then"),
  mutant("keeps a lease without a job", "  if lease then\n", "  if lease and exists then\n"),
  mutant("counts a release", "if counts then", "if true then"),
  mutant("counts no attempt", "if counts then", "if false then"),
  ...COUNTING,
  mutant("takes a release for a failure", "error_text, not counts", "error_text, false"),
  mutant("takes a failure for a release", "error_text, not counts", "error_text, true"),
  mutant("stores no error", "if #entries > 0 then", "if false then"),
  mutant("writes where there is no error", "if #entries > 0 then", "if true then"),
  mutant("leaves a mark after a failure", "if #forgotten > 0 then", "if false then"),
  mutant("forgets where no error goes", "if #forgotten > 0 then", "if true then"),
  mutant("leaves the lease", `redis.call("ZREM", processing_key, unpack(leases))`, ""),
  mutant("counts a batch as one", "retried + #counted", "retried + 1"),
  mutant("writes where nothing is counted", "if #attempts > 0 then", "if true then"),
  mutant("writes where nothing is held", "if #leases > 0 then", "if true then"),
  mutant("writes where no job is left", "if #scores > 0 then", "if true then"),
  mutant("wakes nobody", "wake_for(waiting_key, meta_key, wake_channel, now, earliest_due)", ""),
  mutant("wakes for the last job of a list", "math.min(earliest_due, due)", "due"),
  writesFirst(
    `redis.call("ZREM", processing_key, "")`,
    `redis.call("HSET", meta_key, "retried", retried)`,
  ),
];

const bury = [
  unchecked(
    "dead",
    `redis.call("ZCARD", dead_key) -- checks the type: nothing may fail after the first write`,
  ),
  mutant("answers that no job is gone", "reply[index] = exists and 0 or -1", "reply[index] = 0"),
  mutant("buries a lease without a job", "if lease and exists then", "if lease then"),
  mutant("keeps a lease without a job", "  if lease then\n", "  if lease and exists then\n"),
  mutant("always counts an attempt", "if counts then", "if true then"),
  mutant("never counts an attempt", "if counts then", "if false then"),
  ...COUNTING,
  mutant("stores no reason", "if #entries > 0 then", "if false then"),
  mutant("writes where there is no reason", "if #entries > 0 then", "if true then"),
  mutant("leaves a mark", "if #forgotten > 0 then", "if false then"),
  mutant("forgets where no error goes", "if #forgotten > 0 then", "if true then"),
  mutant("leaves the lease", `redis.call("ZREM", processing_key, unpack(leases))`, ""),
  mutant("counts a batch as one", "buried + #scores / 2", "buried + 1"),
  mutant("writes where nothing is held", "if #leases > 0 then", "if true then"),
  mutant("writes where no job is left", "if #scores > 0 then", "if true then"),
  writesFirst(
    `redis.call("ZREM", processing_key, "")`,
    `redis.call("HSET", meta_key, "buried", buried)`,
  ),
];

const extend = [
  mutant("takes any visibility timeout", "milliseconds(visibility_timeout_ms)\n", ""),
  mutant("answers that it refused what it extended", "lease and 1 or 0", "0"),
  mutant(
    "shortens no lease",
    'redis.call("ZADD", processing_key, unpack(scores))',
    'redis.call("ZADD", processing_key, "GT", unpack(scores))',
  ),
  mutant(
    "counts from the lease's start",
    "= now + visibility_timeout_ms, lease",
    "= visibility_timeout_ms, lease",
  ),
  mutant("writes where nothing is held", "if #scores > 0 then", "if true then"),
  aboutFailing(mutant("writes before it removes", `redis.call("ZREM", processing_key, "")`, "")),
];

const reap = [
  unchecked(
    "waiting",
    `redis.call("ZCARD", waiting_key) -- checks the type: nothing may fail after the first write`,
  ),
  mutant("reaps leases in force", `"-inf", now, "BYSCORE"`, `"-inf", "+inf", "BYSCORE"`),
  mutant(
    "leaves a lease that ends just now",
    `"-inf", now, "BYSCORE"`,
    `"-inf", "(" .. now, "BYSCORE"`,
  ),
  mutant("reaps one more than asked", `"LIMIT", 0, max_jobs)`, `"LIMIT", 0, max_jobs + 1)`),
  mutant(
    "names the first lease as the next",
    "processing_key, #expired, #expired,",
    "processing_key, 0, 0,",
  ),
  mutant("names a time that has passed", "math.max(0, next_end - now)", "next_end - now"),
  mutant("goes on where no lease has ended", "if #expired == 0 then", "if false then"),
  mutant(
    "gives back a lease without a job",
    'and redis.call("HEXISTS", jobs_key, id) == 1 then',
    "then",
  ),
  mutant("gives back a job that is delayed", "not delayed[index] and ", ""),
  mutant("gives back a job that is dead", "and not dead[index] ", ""),
  mutant("lets no job wait its backoff", "is_of_lost_lease(last_errors[index])", "false"),
  mutant("lets every job wait its backoff", "is_of_lost_lease(last_errors[index])", "true"),
  mutant(
    "looks at the last error of the first job only",
    "is_of_lost_lease(last_errors[index])",
    "is_of_lost_lease(last_errors[1])",
  ),
  mutant("starts to count anew", "count_of(counts[index]) + 1", "1"),
  mutant("fails at a spoilt count", "count_of(counts[index]) + 1", "(counts[index] or 0) + 1"),
  mutant("counts on from the first job's count", "count_of(counts[index])", "count_of(counts[1])"),
  mutant(
    "takes any backoff",
    "milliseconds(list[math.min(list_from + count - 1, #list)])",
    "tonumber(list[math.min(list_from + count - 1, #list)])",
  ),
  mutant(
    "has no backoff past the last",
    "list[math.min(list_from + count - 1, #list)]",
    "list[list_from + count - 1]",
  ),
  mutant(
    "takes the backoff of the next attempt",
    "list_from + count - 1, #list",
    "list_from + count, #list",
  ),
  mutant("wakes for the last job of a list", "math.min(earliest_due, due)", "due"),
  mutant("leaves the leases", `redis.call("ZREM", processing_key, unpack(expired))`, ""),
  mutant(
    "leaves the last lease",
    "unpack(expired))",
    "unpack(expired, 1, math.max(1, #expired - 1)))",
  ),
  mutant("stores no attempts", `redis.call("HSET", attempts_key, unpack(attempts))`, ""),
  mutant("stores no error", `redis.call("HSET", errors_key, unpack(errors))`, ""),
  mutant("counts a batch as one", "expired_total + #ids", "expired_total + 1"),
  mutant("writes where no job is left", "if #ids > 0 then", "if true then"),
  mutant("wakes nobody", "wake_for(waiting_key, meta_key, wake_channel, now, earliest_due)", ""),
  writesFirst(
    `redis.call("ZREM", processing_key, "")`,
    `if #ids > 0 then\n  redis.call("HSET", attempts_key, unpack(attempts))\nend`,
  ),
];

const lastError = [
  mutant("takes text for a mark", '"^[\\1-\\3]"', '"^%c"'),
  mutant("knows no mark but a release's", '"^[\\1-\\3]"', '"^\\1"'),
  mutant("shows the marks", "has_mark(entry) and string.sub(entry, 2) or entry", "entry"),
  mutant("fails where there is no entry", `return entry and (has_mark`, `return (has_mark`),
  mutant("marks no text that misleads", 'or would_mislead and failed_mark or ""', 'or ""'),
  mutant(
    "takes any text for a lost lease's",
    "has_mark(text) or text == lease_expired",
    "has_mark(text)",
  ),
  mutant(
    "takes any byte for a mark",
    "has_mark(text) or text == lease_expired",
    "text == lease_expired",
  ),
  mutant("marks no release", "is_release and released_mark or ", ""),
  mutant(
    "takes a release for the end of a lost lease",
    " or entry == released_mark .. lease_expired",
    "",
  ),
  mutant(
    "takes any end for that of a lost lease",
    "return entry == lease_expired or entry == released_mark .. lease_expired",
    "return text_of(entry) == lease_expired",
  ),
  mutant("forgets the last failure", 'text == "" and text_of(entry) or text', "text"),
  mutant("piles up marks", 'text == "" and text_of(entry) or text', 'text == "" and entry or text'),
  mutant("keeps the last failure", 'text == "" and text_of(entry) or text', "text_of(entry)"),
  mutant("takes all for releases", "releases[index])", "true)"),
  mutant("stores an empty entry", 'if next_entry == "" then', "if false then"),
  mutant("asks where nothing ends", '#ids > 0 and redis.call("HMGET"', 'redis.call("HMGET"'),
  mutant("tells no failure without a text", 'attempts > 0 and "retry" or nil', "nil"),
  mutant("takes a first delivery for a retry", 'attempts > 0 and "retry" or nil', '"retry"'),
  mutant("tells no release", 'mark == released_mark and "released"', "false"),
  mutant("tells no redrive", 'mark == redriven_mark and "redrive"', "false"),
  mutant("tells no lost lease", 'entry == lease_expired and "lease_expired"', "false"),
];

const lease = [
  mutant(
    "holds what another token holds",
    "deadlines[index] and not seen[lease] and lease",
    "not seen[lease] and lease",
  ),
  mutant(
    "holds a lease as often as it is named",
    "deadlines[index] and not seen[lease] and lease",
    "deadlines[index] and lease",
  ),
  mutant("cuts tokens to 14 digits", `string.format("%.0f", token)`, "token"),
  mutant("finds no id that holds a colon", `"^(.*):(%d+)$"`, `"^([^:]*):(%d+)$"`),
];

const number = [
  mutant("takes a negative number", "number >= 0 and ", ""),
  mutant("takes a number that is not exact", " and number <= 9007199254740991", ""),
  mutant("takes what is no number", "number and number >= 0", "number >= 0"),
];

export const settling: Mutants = {
  "ack.lua": ack,
  "nack.lua": nack,
  "bury.lua": bury,
  "extend.lua": extend,
  "reap.lua": reap,
  "lib/lease.lua": lease,
  "lib/last-error.lua": lastError,
  "lib/number.lua": number,
};
