/** Ways to break how jobs are taken, and who looks for more. */
import { mutant, type Mutants } from "./mutant.ts";

const repeating = [
  mutant(
    "takes more where it is asked again",
    "local is_repeat = #last_taken > 0",
    "local is_repeat = false",
  ),
  mutant(
    "repeats a claim that gave nothing",
    "is_repeat = #last_taken > 0",
    "is_repeat = last_request == request",
  ),
  mutant(
    "repeats the last claim for ever",
    "last_request == request and unpack_taken",
    "last_request and unpack_taken",
  ),
  mutant("answers an old request", "last_request > request then", "false then"),
  mutant("gives a new token where it is asked again", "  token = last_token\n", ""),
  mutant(
    "repeats what was settled meanwhile",
    `if redis.call("ZSCORE", processing_key, lease_of(id, token)) then`,
    "if true then",
  ),
  mutant(
    "does not check the type of delayed",
    `redis.call("ZCARD", delayed_key) -- checks the type: nothing may fail after the first write`,
    "",
  ),
  mutant("forgets that it was full", "if is_repeat then\n  is_full = was_full\nend", ""),
  mutant("moves jobs where it is asked again", "if not is_repeat then", "if true then"),
  mutant(
    "remembers no claim",
    `redis.call("HSET", claims_key, worker_id, pack_claim(now, request, token, is_full, remembered))`,
    "",
  ),
  mutant("cleans up where it is asked again", "if is_repeat then\n  return reply\nend", ""),
];

const taking = [
  mutant("takes any visibility timeout", "milliseconds(visibility_timeout_ms)\n", ""),
  mutant("takes any poll interval", "milliseconds(poll_interval_ms)\n", ""),
  mutant(
    "gives smaller tokens once the clock went back",
    "math.max(count_of(meta[2]) + 1, now_us)",
    "now_us",
  ),
  mutant(
    "gives tokens that a Redis that lost them gives again",
    "math.max(count_of(meta[2]) + 1, now_us)",
    "count_of(meta[2]) + 1",
  ),
  mutant("gives the last token again", "count_of(meta[2]) + 1,", "count_of(meta[2]),"),
  mutant("fails at a spoilt token", "count_of(meta[2])", "tonumber(meta[2] or 0)"),
  mutant(
    "counts on from a token that is not exact",
    "count_of(meta[2])",
    "(tonumber(meta[2] or 0) or 0)",
  ),
  mutant("gives jobs while paused", "elseif not paused then", "else"),
  mutant(
    "takes jobs before they are due",
    `"-inf", now, "BYSCORE", "LIMIT", 0, max_jobs`,
    `"-inf", "+inf", "BYSCORE", "LIMIT", 0, max_jobs`,
  ),
  mutant(
    "leaves a job that is due just now",
    `"-inf", now, "BYSCORE", "LIMIT", 0, max_jobs`,
    `"-inf", "(" .. now, "BYSCORE", "LIMIT", 0, max_jobs`,
  ),
  mutant("takes one more than asked", `"LIMIT", 0, max_jobs,`, `"LIMIT", 0, max_jobs + 1,`),
  mutant(
    "is full only by jobs",
    "#envelopes == max_jobs or #envelopes < #ids",
    "#envelopes == max_jobs",
  ),
  mutant(
    "is full only by bytes",
    "#envelopes == max_jobs or #envelopes < #ids",
    "#envelopes < #ids",
  ),
  mutant("gives an id without an envelope", "if envelope then -- an id", "if true then -- an id"),
  mutant(
    "takes what did not fit into the reply out of delayed",
    "unpack(ids, 1, #envelopes)",
    "unpack(ids)",
  ),
  mutant(
    "leaves the last job in delayed",
    "unpack(ids, 1, #envelopes)",
    "unpack(ids, 1, math.max(1, #envelopes - 1))",
  ),
  mutant("takes all out of delayed where none is due", "if #envelopes > 0 then", "if true then"),
  mutant(
    "leaves the jobs in delayed",
    `redis.call("ZREM", delayed_key, unpack(ids, 1, #envelopes))`,
    "",
  ),
  mutant("leaves a lease of nobody", `redis.call("ZREM", processing_key, long_member)`, ""),
  mutant("remembers no token", `redis.call("HSET", meta_key, "token", token)`, ""),
  mutant(
    "names the end of its own leases only",
    "math.min(lease_end or math.huge, now + visibility_timeout_ms)",
    "now + visibility_timeout_ms",
  ),
  mutant(
    "names the end of earlier leases only",
    "math.min(lease_end or math.huge, now + visibility_timeout_ms)",
    "lease_end or now + visibility_timeout_ms",
  ),
  mutant("names an end that has passed", "math.max(0, lease_end - now)", "lease_end - now"),
  mutant("answers no attempts", "count_of(attempts[index])", "0"),
  mutant(
    "never looks for a history",
    'EXISTS", attempts_key, errors_key) > 0',
    'EXISTS", attempts_key, errors_key) > 2',
  ),
  mutant("looks for attempts only", 'EXISTS", attempts_key, errors_key)', 'EXISTS", attempts_key)'),
  mutant("looks for errors only", 'EXISTS", attempts_key, errors_key)', 'EXISTS", errors_key)'),
  mutant(
    "asks for the history of no jobs",
    '#ids > 0 and redis.call("EXISTS"',
    'redis.call("EXISTS"',
  ),
  mutant("tells a history of first deliveries", "if reason then", "if has_history then"),
  mutant(
    "tells the history of another job",
    "= last_lease / 2, count, reason",
    "= index, count, reason",
  ),
  mutant(
    "tells how the first job's delivery ended",
    "redelivery_reason(errors[index], count)",
    "redelivery_reason(errors[1], count)",
  ),
  mutant("counts what was no job", "reply[5] = last_lease / 2", "reply[5] = #ids"),
  mutant("tells no history", "reply[at + index] = history[index]", ""),
  mutant(
    "fails at a spoilt count",
    "count_of(attempts[index])",
    "tonumber(attempts[index] or 0) + 0",
  ),
  mutant(
    "answers a count that is none",
    "count_of(attempts[index])",
    "(tonumber(attempts[index] or 0) or 0)",
  ),
  mutant(
    "ends its leases at once",
    `string.format("%.0f", now + visibility_timeout_ms)`,
    `string.format("%.0f", now)`,
  ),
  mutant("remembers ids that were no jobs", "if last_lease < #taken then", "if false then"),
];

const looking = [
  mutant(
    "writes before it removes, and goes on waiting",
    `redis.call("ZREM", waiting_key, worker_id)`,
    "",
  ),
  mutant(
    "hands over no watch when it is full",
    "if is_full and comes_back then",
    "if is_full then",
  ),
  mutant(
    "hands the watch over though it comes back",
    "if is_full and comes_back then",
    "if false then",
  ),
  mutant(
    "watches the head of a paused queue",
    "local head_due = not paused and tonumber",
    "local head_due = tonumber",
  ),
  mutant(
    "waits where the caller does not",
    "if is_full or poll_interval_ms == 0 then",
    "if is_full then",
  ),
  mutant(
    "waits though it is full",
    "if is_full or poll_interval_ms == 0 then",
    "if poll_interval_ms == 0 then",
  ),
  mutant("wakes nobody", "    wake_for(waiting_key, meta_key, wake_channel, now, head_due)\n", ""),
  mutant(
    "sends no worker to sleep while a sentry looks",
    "if looks[2] and tonumber(looks[2]) <= next_look then",
    "if false then",
  ),
  mutant(
    "takes any who waits for a sentry",
    "if looks[2] and tonumber(looks[2]) <= next_look then",
    "if looks[2] then",
  ),
  mutant(
    "makes every worker a deputy",
    "looks[4] and tonumber(looks[4]) <= deputy_look and interval_end or deputy_look",
    "deputy_look",
  ),
  mutant(
    "has no deputy",
    "looks[4] and tonumber(looks[4]) <= deputy_look and interval_end or deputy_look",
    "interval_end",
  ),
  mutant(
    "takes any who waits for a deputy",
    "looks[4] and tonumber(looks[4]) <= deputy_look and interval_end",
    "looks[4] and interval_end",
  ),
  mutant(
    "lets a deputy sleep longer than its interval",
    "math.min(next_look + 1000, interval_end)",
    "next_look + 1000",
  ),
  mutant(
    "lets a sentry sleep longer than its interval",
    "math.min(head_due or interval_end, interval_end)",
    "head_due or interval_end",
  ),
  mutant(
    "takes a stalled worker for a sentry",
    `waiting_key, now - 100, "+inf"`,
    `waiting_key, "-inf", "+inf"`,
  ),
  mutant(
    "takes a sentry that is a little late for stalled",
    `waiting_key, now - 100, "+inf"`,
    `waiting_key, now, "+inf"`,
  ),
  mutant("does not say who waits", `redis.call("ZADD", waiting_key, next_look, worker_id)`, ""),
  mutant("names a look that has passed", "math.max(0, next_look - now)", "next_look - now"),
  mutant(
    "keeps stalled workers",
    `redis.call("ZREMRANGEBYSCORE", waiting_key, "-inf", now - 101)`,
    "",
  ),
  mutant(
    "drops workers that look now",
    `redis.call("ZREMRANGEBYSCORE", waiting_key, "-inf", now - 101)`,
    `redis.call("ZREMRANGEBYSCORE", waiting_key, "-inf", now)`,
  ),
  mutant("forgets the claims of workers that live", "< now - 3600000", "< now"),
  mutant("never forgets a claim", "< now - 3600000", "< 0"),
];

export const claiming: Mutants = { "claim.lua": [...taking, ...repeating, ...looking] };
