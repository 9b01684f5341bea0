/** Ways to break the scripts that administer a queue, and those that only read. */
import {
  aboutFailing,
  equivalent,
  mutant,
  type Mutants,
  PARTS,
  unchecked,
  writesFirst,
} from "./mutant.ts";

const CHECKS_TYPES = " -- checks the types: nothing may fail after the first write";
const CHECKS_TYPE = " -- checks the type: nothing may fail after the first write";

const MIDDLE = `redis.call("ZRANGE", dead_key, middle, middle)[1]`;
const RESHARD_NOTE = `redis.call("HSET", meta_key, "shards", note)`;
const RESHARD_REMOVAL = `redis.call("HDEL", meta_key, "shards") -- a removal first: a full Redis would refuse HSET`;

const redrive = [
  unchecked("delayed", `redis.call("ZCARD", delayed_key)${CHECKS_TYPES}`),
  unchecked("waiting", `redis.call("ZCARD", waiting_key)`),
  unchecked("errors", `redis.call("HLEN", errors_key)`),
  equivalent(
    "the first write that changes anything is to that key",
    unchecked("attempts", `redis.call("HLEN", attempts_key)`),
  ),
  mutant("redrives what is not dead", "if died and not seen[id] then", "if not seen[id] then"),
  mutant("redrives an id twice", "if died and not seen[id] then", "if died then"),
  mutant("takes an id for the next", "list[list_from + index - 1]", "list[list_from + index]"),
  mutant(
    "redrives an id without a job",
    `if redis.call("HEXISTS", jobs_key, id) == 1 then`,
    "if true then",
  ),
  mutant("writes where nothing is dead", "if #ids > 0 then", "if true then"),
  mutant("writes where no job is left", "if #scores > 0 then", "if true then"),
  mutant("leaves the job among the dead", `redis.call("ZREM", dead_key, unpack(ids))`, ""),
  mutant("keeps the attempts", `redis.call("HDEL", attempts_key, unpack(ids))`, ""),
  mutant("keeps the error of no job", `redis.call("HDEL", errors_key, unpack(ids))`, ""),
  mutant("leaves no mark", `redis.call("HSET", errors_key, unpack(marks))`, ""),
  mutant("counts a batch as one", "redriven + #scores / 2", "redriven + 1"),
  mutant("wakes nobody", "wake_for(waiting_key, meta_key, wake_channel, now, now)", ""),
  writesFirst(
    `redis.call("ZREM", dead_key, "")`,
    `redis.call("HSET", meta_key, "redriven", redriven)`,
  ),
];

const purge = [
  unchecked("jobs", `redis.call("HLEN", jobs_key)${CHECKS_TYPES}`),
  unchecked("attempts", `redis.call("HLEN", attempts_key)`),
  unchecked("errors", `redis.call("HLEN", errors_key)`),
  mutant("purges an id twice", "if died and not seen[id] then", "if died then"),
  mutant("purges what is not dead", "if died and not seen[id] then", "if not seen[id] then"),
  mutant("takes an id for the next", "list[list_from + index - 1]", "list[list_from + index]"),
  mutant("writes where nothing is dead", "if #ids > 0 then", "if true then"),
  mutant("leaves the job among the dead", `redis.call("ZREM", dead_key, unpack(ids))`, ""),
  mutant("leaves the envelope", `redis.call("HDEL", jobs_key, unpack(ids))`, ""),
  mutant("leaves the attempts", `redis.call("HDEL", attempts_key, unpack(ids))`, ""),
  mutant("leaves the error", `redis.call("HDEL", errors_key, unpack(ids))`, ""),
  mutant("counts a batch as one", "purged + #ids", "purged + 1"),
  writesFirst(
    `redis.call("ZREM", dead_key, unpack(ids))`,
    `redis.call("HSET", meta_key, "purged", purged)`,
  ),
];

const cancel = [
  mutant(
    "cancels what is not delayed",
    `if not redis.call("ZSCORE", delayed_key, id) then`,
    "if false then",
  ),
  unchecked("jobs", `redis.call("HLEN", jobs_key)${CHECKS_TYPE}`),
  aboutFailing(
    mutant(
      "does not check the types of attempts and errors",
      `redis.call("EXISTS", attempts_key, errors_key) > 0`,
      `redis.call("EXISTS", attempts_key, errors_key) > 2`,
    ),
  ),
  mutant("never looks for attempts and errors", "if has_history then", "if false then"),
  mutant(
    "looks for attempts only",
    ` + redis.call("HLEN", errors_key) > 0`,
    ` + 0 * redis.call("HLEN", errors_key) > 0`,
  ),
  mutant("leaves the job in delayed", `redis.call("ZREM", delayed_key, id)`, ""),
  mutant("leaves the envelope", `redis.call("HDEL", jobs_key, id)`, ""),
  mutant("leaves the attempts", `redis.call("HDEL", attempts_key, id)`, ""),
  mutant("leaves the error", `redis.call("HDEL", errors_key, id)`, ""),
  mutant("counts none", "cancelled + 1", "cancelled"),
  writesFirst(
    `redis.call("ZREM", delayed_key, id)`,
    `redis.call("HSET", meta_key, "cancelled", cancelled)`,
  ),
];

const reschedule = [
  mutant(
    "delays what is not delayed",
    `if not redis.call("ZSCORE", delayed_key, id) then`,
    "if false then",
  ),
  mutant("takes any due time", "milliseconds(due_text)", "tonumber(due_text)"),
  mutant("counts every due time from now", "if string.byte(due_text) == 43 then", "if true then"),
  mutant("counts no due time from now", "if string.byte(due_text) == 43 then", "if false then"),
  unchecked("waiting", `redis.call("ZCARD", waiting_key)${CHECKS_TYPES}`),
  unchecked("meta", `redis.call("HLEN", meta_key)`),
  aboutFailing(mutant("writes before it removes", `redis.call("ZREM", delayed_key, "")`, "")),
  mutant("wakes nobody", "wake_for(waiting_key, meta_key, wake_channel, now, due)", ""),
  mutant("wakes for a job that is not due", "wake_channel, now, due)", "wake_channel, now, now)"),
];

const leave = [
  unchecked("claims", `redis.call("HLEN", claims_key)${CHECKS_TYPES}`),
  unchecked("meta", `redis.call("HLEN", meta_key)`),
  mutant("stays in waiting", `redis.call("ZREM", waiting_key, worker_id)`, ""),
  mutant("keeps its claim", `redis.call("HDEL", claims_key, worker_id)`, ""),
  mutant("hands over no watch", "if head_due then", "if false then"),
  mutant(
    "wakes for a head that is not due",
    "wake_channel, now, head_due)",
    "wake_channel, now, now)",
  ),
];

const pause = [
  mutant("does not pause", `redis.call("HSET", meta_key, "paused", 1)`, ""),
  mutant("writes before it removes", `redis.call("HDEL", meta_key, "paused")`, ""),
];

const resume = [
  unchecked("waiting", `redis.call("ZCARD", waiting_key)${CHECKS_TYPE}`),
  mutant("does not resume", `redis.call("HDEL", meta_key, "paused")`, ""),
  mutant("hands over no watch", "if head_due then", "if false then"),
  mutant(
    "wakes for a head that is not due",
    "wake_channel, now, head_due)",
    "wake_channel, now, now)",
  ),
];

const place = [
  mutant("finds every job", `if redis.call("HEXISTS", jobs_key, id) == 0 then`, "if false then"),
  mutant(
    "finds no dead job",
    `redis.call("ZSCORE", dead_key, id) and "dead" or "processing"`,
    `"processing"`,
  ),
];

const stats = [
  mutant(
    "counts the due among the delayed",
    `redis.call("ZCARD", delayed_key) - due`,
    `redis.call("ZCARD", delayed_key)`,
  ),
  mutant(
    "counts all delayed as due",
    `"ZCOUNT", delayed_key, "-inf", now)`,
    `"ZCOUNT", delayed_key, "-inf", "+inf")`,
  ),
  mutant(
    "has an age below 0",
    "head_due and head_due <= now and now - head_due or -1",
    "head_due and now - head_due or -1",
  ),
  mutant("is never paused", "meta[1] and 1 or 0", "0"),
  mutant(
    "counts stalled workers",
    `waiting_key, now - 100, "+inf")`,
    `waiting_key, "-inf", "+inf")`,
  ),
  mutant("fails at a spoilt total", "tonumber(meta[at] or 0) or 0", "tonumber(meta[at] or 0) + 0"),
];

const peek = [
  mutant("takes what is due for delayed", `due <= now and "due" or "delayed"`, `"delayed"`),
  mutant("takes a job that is due just now for delayed", "due <= now", "due < now"),
  mutant("takes the dead for held", `(died and "dead") or `, ""),
  mutant("finds an id without an envelope", `envelope and state or "gone"`, "state"),
  mutant("answers no time", "due or died or -1", "-1"),
  mutant(
    "fails at a spoilt count",
    "tonumber(attempts[index] or 0) or 0",
    "tonumber(attempts[index] or 0) + 0",
  ),
  mutant("answers no error", "text_of(errors[index])", `""`),
  mutant("shows the mark of an error", "text_of(errors[index])", `errors[index] or ""`),
];

const listDead = [
  mutant("lists the entry of the cursor again", "return #id > #other", "return #id >= #other"),
  mutant("leaves out an id that begins with the cursor's", "return #id > #other", "return false"),
  mutant("looks at one byte of an id", "math.min(#id, #other)", "1"),
  mutant(
    "has the order of ids upside down",
    "> string.byte(other, at)",
    "< string.byte(other, at)",
  ),
  equivalent(
    "the servers of the tests have the C locale, which compares bytes",
    mutant(
      "compares ids by the server's locale",
      `is_after(${MIDDLE}, after_id)`,
      `${MIDDLE} > after_id`,
    ),
  ),
  mutant(
    "searches all that died before",
    `redis.call("ZCOUNT", dead_key, "-inf", "(" .. after_ms)`,
    "0",
  ),
  mutant(
    "leaves out who died in the same millisecond",
    `"-inf", "(" .. after_ms)`,
    `"-inf", after_ms)`,
  ),
  mutant(
    "lists all again that died in the same millisecond",
    `"-inf", after_ms)`,
    `"-inf", "(" .. after_ms)`,
  ),
  mutant("gives the search up at the first later id", "last = middle\n", "last = first\n"),
  mutant("gives the search up at the first earlier id", "first = middle + 1", "first = last"),
  mutant("lists one more than asked", "first + max_jobs - 1", "first + max_jobs"),
  mutant("lists who died later", "if died <= tonumber(until_ms) then", "if true then"),
  mutant("leaves out who died at the last moment", "died <= tonumber", "died < tonumber"),
];

const open = [
  ...PARTS.map((part) =>
    mutant(`does not look at ${part}`, `check("${part}", ${part}_key,`, `check("${part}", "",`),
  ),
  mutant("finds no wrong type", `if found ~= "none" and found ~= expected then`, "if false then"),
  mutant(
    "takes a missing key for a wrong one",
    `found ~= "none" and found ~= expected`,
    "found ~= expected",
  ),
  mutant("reads a version of another type", "if #reply == 3 then", "if true then"),
  mutant("finds every queue new", "tonumber(meta[1] or 0) or 0", "0"),
  mutant("finds no queue spread", `meta[2] or "0"`, `"0"`),
  mutant("finds something noted everywhere", `meta[2] or "0"`, `meta[2] or ""`),
  mutant("finds no job", `reply[3] = redis.call("HLEN", jobs_key)`, "reply[3] = 0"),
  mutant("fails at a spoilt version", "tonumber(meta[1] or 0) or 0", "tonumber(meta[1] or 0) + 0"),
];

const reshard = [
  mutant("loses sight of jobs that lie here", ` or redis.call("HLEN", jobs_key) > 0`, ""),
  mutant("overrides what another process noted meanwhile", "noted ~= from or ", ""),
  mutant("refuses the number that is noted", "noted ~= note and (", "("),
  mutant("takes no note for a number", `or "0"`, `or ""`),
  mutant("answers that it noted what it refused", "return 0", "return 1"),
  mutant("notes nothing", RESHARD_NOTE, ""),
  aboutFailing(mutant("writes before it removes", RESHARD_REMOVAL, "")),
];

export const administering: Mutants = {
  "redrive.lua": redrive,
  "purge.lua": purge,
  "cancel.lua": cancel,
  "reschedule.lua": reschedule,
  "leave.lua": leave,
  "pause.lua": pause,
  "resume.lua": resume,
  "stats.lua": stats,
  "peek.lua": peek,
  "list-dead.lua": listDead,
  "open.lua": open,
  "reshard.lua": reshard,
  "lib/place.lua": place,
};
