/** Ways to break how jobs come in, and what several scripts share. */
import { aboutFailing, equivalent, mutant, type Mutants } from "./mutant.ts";

const enqueue = [
  mutant("counts every due time from now", "if string.byte(due_text) == 43 then", "if true then"),
  mutant("counts no due time from now", "if string.byte(due_text) == 43 then", "if false then"),
  mutant("replaces a job that exists", "if not present then", "if true then"),
  mutant("adds an id twice in one call", "first_of[id] = index", ""),
  mutant("takes every duplicate for a resend", "if present == envelope then", "if true then"),
  mutant("takes a resend for a duplicate", "if present == envelope then", "if false then"),
  mutant(
    "forgets the due time it has just added",
    "first and reply[first * 2] or tonumber(",
    "tonumber(",
  ),
  mutant(
    "gives a job without delay the due time of another",
    "due_of[due_text], score_of[due_text] = due, score",
    `due_of["+0"], score_of["+0"] = due, score`,
  ),
  mutant("answers a due time ahead for a job that was claimed", "math.min(due, now)", "due"),
  mutant(
    "answers -1 for a job that was claimed",
    "due_now >= 0 and due_now or math.min(due, now)",
    "due_now",
  ),
  mutant("writes where nothing is new", "if last > 0 then", "if true then"),
  mutant(
    "is let through by a full Redis",
    `redis.call("ZADD", delayed_key, unpack(scores))`,
    `redis.call("ZREM", waiting_key, "")\n  redis.call("ZADD", delayed_key, unpack(scores))`,
  ),
  mutant("notes no version", "if not meta[3] then", "if false then"),
  mutant("changes the version of data that is there", "if not meta[3] then", "if true then"),
  mutant("does not note the shards", `data_version, "shards", shards)`, "data_version)"),
  mutant(
    "stores in a queue that is spread over another number of shards",
    "if noted_shards and noted_shards ~= shards then",
    "if false then",
  ),
  mutant(
    "refuses where no number of shards is noted",
    "if noted_shards and noted_shards ~= shards then",
    "if noted_shards ~= shards then",
  ),
  mutant("does not say over how many shards", "return { -1, noted_shards }", "return { -1, 0 }"),
  mutant("counts a batch as one", "enqueued + last / 2", "enqueued + 1"),
  mutant(
    "leaves WAIT nothing to wait for where nothing is new",
    `redis.call("HSET", meta_key, "enqueued", enqueued)`,
    "",
  ),
  mutant(
    "counts what is not new",
    `redis.call("HSET", meta_key, "enqueued", enqueued)`,
    `redis.call("HSET", meta_key, "enqueued", enqueued + 1)`,
  ),
  aboutFailing(
    mutant("writes before it removes where nothing is new", `redis.call("HDEL", meta_key, "")`, ""),
  ),
  mutant("wakes nobody", "if look and look > earliest_due then", "if false then"),
  equivalent(
    "`wake_for` asks the same; stalled workers, which count for nothing, are only dropped earlier",
    mutant("asks for a wake-up each time", "if look and look > earliest_due then", "if look then"),
  ),
  equivalent(
    "whoever looks first was asked about already, and all others look later still",
    mutant(
      "wakes without asking once more",
      "wake_channel, now, earliest_due)",
      "wake_channel, now, now)",
    ),
  ),
  mutant("wakes for the last job of a list", "due < earliest_due and due or earliest_due", "due"),
];

const lastClaim = [
  mutant("fails at a claim that is none", `"^(%d+):") or 0)`, `"^(%d+):"))`),
  mutant("keeps no time", `:%d:", now,`, `:%d:", 0,`),
  mutant("forgets that the worker was full", "was_full and 1 or 0", "0"),
];

const wake = [
  mutant("publishes without a channel", `if wake_channel == "" then`, "if false then"),
  mutant(
    "keeps stalled workers",
    `redis.call("ZREMRANGEBYSCORE", waiting_key, "-inf", now - 101)`,
    "",
  ),
  equivalent(
    "it wakes only where no worker that counts looks by now",
    mutant("drops workers that look now", `"-inf", now - 101)`, `"-inf", now)`),
  ),
  mutant(
    "wakes a stalled worker",
    `"ZRANGE", waiting_key, now - 100,`,
    `"ZRANGE", waiting_key, "-inf",`,
  ),
  mutant(
    "takes a worker that is a little late for stalled",
    `"ZRANGE", waiting_key, now - 100,`,
    `"ZRANGE", waiting_key, now,`,
  ),
  mutant("tries four", "for _ = 1, 3 do", "for _ = 1, 4 do"),
  mutant("tries two", "for _ = 1, 3 do", "for _ = 1, 2 do"),
  mutant("wakes who looks now", "look <= math.max(due, now)", "look <= due"),
  mutant("wakes though somebody looks in time", "look <= math.max(due, now)", "look <= now"),
  mutant(
    "wakes though somebody looks just in time",
    "look <= math.max(due, now)",
    "look < math.max(due, now)",
  ),
  mutant("wakes while paused", ` or redis.call("HGET", meta_key, "paused") then`, " then"),
  mutant("fails where SPUBLISH is refused", `redis.pcall("SPUBLISH"`, `redis.call("SPUBLISH"`),
  mutant("believes in a worker that is gone", "receivers > 0", "receivers >= 0"),
  mutant(
    "takes an error for a receiver",
    `type(receivers) == "number" and receivers > 0`,
    `type(receivers) ~= "number" or receivers > 0`,
  ),
  mutant("does not note who was woken", `redis.call("ZADD", waiting_key, now, worker_id)`, ""),
  mutant("keeps a worker that is gone", `redis.call("ZREM", waiting_key, worker_id)`, ""),
];

const envelope = [
  equivalent(
    "what is read beyond the limit is not answered; the limit spares the script's memory and time",
    mutant(
      "reads all chunks however large",
      "while first <= #ids and bytes < max_bytes do",
      "while first <= #ids do",
    ),
  ),
  mutant("answers a whole chunk however large", "if bytes < max_bytes then", "if true then"),
  mutant("weighs nothing", "envelope and #envelope or 0", "0"),
  mutant(
    "reads a job of each chunk twice",
    "first = last + 1",
    "first = math.max(first + 1, last)",
  ),
];

const time = [
  mutant("has fractions of a millisecond", "math.floor(time[2] / 1000)", "time[2] / 1000"),
  mutant(
    "knows whole seconds only",
    "time[1] * 1000 + math.floor(time[2] / 1000)",
    "time[1] * 1000",
  ),
];

const total = [
  mutant("counts from 0 each time", `count_of(redis.call("HGET", meta_key, field))`, "0"),
  mutant("fails at a count that is none", "return count and count >= 0", "return count >= 0"),
  mutant("takes a count below 0", "count >= 0 and ", ""),
  mutant("takes a count that is not exact", " and count <= 9007199254740991", ""),
  mutant("refuses the largest count", "count <= 9007199254740991", "count < 9007199254740991"),
  mutant("takes a fraction", "math.floor(count)", "count"),
];

export const enqueueing: Mutants = {
  "enqueue.lua": enqueue,
  "lib/last-claim.lua": lastClaim,
  "lib/wake.lua": wake,
  "lib/envelope.lua": envelope,
  "lib/time.lua": time,
  "lib/total.lua": total,
};
