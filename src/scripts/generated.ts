// Built from the .lua files beside this one by tools/build-scripts.ts. Do not edit.
import type { ScriptDefinition } from "./definition.ts";

export const ack = {
  name: "ack",
  sha1: "ac5c2eb5158be694ea5736292e09fd4c51fc7936",
  keys: ["processing", "jobs", "attempts", "errors", "meta"],
  args: [],
  listFields: ["id", "token"],
  source: `-- holdfast: ack
-- A count as it is stored; 0 for what is none, such as a text that something else wrote.
local function count_of(text)
  local count = tonumber(text or 0)
  return count and count >= 0 and count <= 9007199254740991 and math.floor(count) or 0
end

-- A running total kept in \`meta\`. Read before the first write, set after it: HINCRBY could fail halfway.
local function total(meta_key, field)
  return count_of(redis.call("HGET", meta_key, field))
end
-- ack: \`processing\` -> gone: these jobs are done.
--
-- Reply, one integer a job: 1 done; 0 stale: the token is no longer in force; -1 gone: no such job.
-- A repeat finds the jobs gone and changes nothing.
-- uses: total
local processing_key = KEYS[1]
local jobs_key = KEYS[2]
local attempts_key = KEYS[3]
local errors_key = KEYS[4]
local meta_key = KEYS[5]
local list, list_from = ARGV, 1 -- each: id, token

local completed = total(meta_key, "completed")
-- Most jobs never fail, so most often both are empty. HLEN checks their types as well.
local has_history = redis.call("EXISTS", attempts_key, errors_key) > 0
  and redis.call("HLEN", attempts_key) + redis.call("HLEN", errors_key) > 0
-- As held_leases tells it, but without a set of all leases seen: nearly every job comes here.
local leases, count = {}, 0
for at = list_from, #list, 2 do
  count = count + 1
  leases[count] = list[at] .. ":" .. list[at + 1]
end
local deadlines = redis.call("ZMSCORE", processing_key, unpack(leases))
local reply, held, ids, last = {}, {}, {}, 0
for index = 1, count do
  local deadline = deadlines[index]
  reply[index] = deadline and 1 or 0
  if deadline then
    last = last + 1
    held[last], ids[last] = leases[index], list[list_from + index * 2 - 2]
  end
end
if last < count then
  local acked = {}
  for index = 1, count do
    local id = list[list_from + index * 2 - 2]
    if reply[index] == 1 then
      acked[id] = true
    elseif acked[id] or redis.call("HEXISTS", jobs_key, id) == 0 then
      reply[index] = -1
    end
  end
end

if last > 0 then
  local removed = redis.call("HDEL", jobs_key, unpack(ids))
  local let_go = redis.call("ZREM", processing_key, unpack(held))
  if has_history then
    redis.call("HDEL", attempts_key, unpack(ids))
    redis.call("HDEL", errors_key, unpack(ids))
  end
  redis.call("HSET", meta_key, "completed", completed + removed)
  if let_go < last then -- a lease named twice is held by its first mention only
    local seen = {}
    for index = 1, count do
      local lease = leases[index]
      reply[index] = seen[lease] and reply[index] == 1 and -1 or reply[index]
      seen[lease] = true
    end
  end
end
return reply`,
} as const satisfies ScriptDefinition;

export const bury = {
  name: "bury",
  sha1: "0cf9ac666323bb2e2b08cad7a08d6a7aef304793",
  keys: ["processing", "dead", "jobs", "attempts", "errors", "meta"],
  args: [],
  listFields: ["id", "token", "counts", "reason"],
  source: `-- holdfast: bury
-- Redis's clock in whole milliseconds. Called once a script: on Redis 7.0 TIME moves while a script runs.
-- Returns the microseconds as well.
local function now_ms()
  local time = redis.call("TIME")
  return time[1] * 1000 + math.floor(time[2] / 1000), time[1] * 1000000 + time[2]
end
-- A lease is the member \`<id>:<token>\` of \`processing\`. Ids may hold colons, tokens are digits.
local function suffix_of(token)
  return ":" .. string.format("%.0f", token)
end

local function lease_of(id, token)
  return id .. suffix_of(token)
end

local function split_lease(lease)
  return string.match(lease, "^(.*):(%d+)$")
end

-- Which of the listed leases (each an id and a token) are in force: the lease, or false. A lease
-- named twice in one call is held by its first mention only: to settle it is to let it go.
local function held_leases(processing_key, list, first, stride)
  local leases, seen, count = {}, {}, 0
  for at = first, #list, stride do
    count = count + 1
    leases[count] = list[at] .. ":" .. list[at + 1]
  end
  local deadlines = redis.call("ZMSCORE", processing_key, unpack(leases))
  for index = 1, count do
    local lease = leases[index]
    leases[index] = deadlines[index] and not seen[lease] and lease
    seen[lease] = true
  end
  return leases
end
-- An entry of \`errors\`: the text of a job's last failure, and how its last delivery ended. That was this
-- failure, unless a mark of one byte in front says otherwise. A mark takes the place of the one before.
local lease_expired = "lease expired: its worker stopped extending it"
local released_mark, redriven_mark, failed_mark = "\\1", "\\2", "\\3"

local function has_mark(entry)
  return string.find(entry, "^[\\1-\\3]") ~= nil
end

-- Empty where the job never failed.
local function text_of(entry)
  return entry and (has_mark(entry) and string.sub(entry, 2) or entry) or ""
end

-- A text that begins with a mark's byte, or is that of a lost lease, gets a mark of its own: it may be anybody's.
local function entry_of(text, is_release)
  local would_mislead = has_mark(text) or text == lease_expired
  return (is_release and released_mark or would_mislead and failed_mark or "") .. text
end

local function entry_of_lost_lease()
  return lease_expired
end

-- A release in between counts for nothing, a failure without a text does.
local function is_of_lost_lease(entry)
  return entry == lease_expired or entry == released_mark .. lease_expired
end

local function entry_of_redrive()
  return redriven_mark
end

-- The entries of these ids for HSET, and ids for HDEL. Where a text is empty, the last failure stands. A read of
-- the key, so that its type is checked.
local function entries_after(errors_key, ids, texts, releases)
  local entries, forgotten = {}, {}
  for index, entry in ipairs(#ids > 0 and redis.call("HMGET", errors_key, unpack(ids)) or {}) do
    local id, text = ids[index], texts[index]
    local next_entry = entry_of(text == "" and text_of(entry) or text, releases[index])
    if next_entry == "" then
      forgotten[#forgotten + 1] = id
    else
      entries[#entries + 1], entries[#entries + 2] = id, next_entry
    end
  end
  return entries, forgotten
end

-- Why a job is delivered again: by how its last delivery ended. Nil where there was none.
local function redelivery_reason(entry, attempts)
  if not entry then
    return attempts > 0 and "retry" or nil
  end
  local mark = string.sub(entry, 1, 1)
  return mark == released_mark and "released"
    or mark == redriven_mark and "redrive"
    or entry == lease_expired and "lease_expired"
    or "retry"
end
-- A count as it is stored; 0 for what is none, such as a text that something else wrote.
local function count_of(text)
  local count = tonumber(text or 0)
  return count and count >= 0 and count <= 9007199254740991 and math.floor(count) or 0
end

-- A running total kept in \`meta\`. Read before the first write, set after it: HINCRBY could fail halfway.
local function total(meta_key, field)
  return count_of(redis.call("HGET", meta_key, field))
end
-- bury: \`processing\` -> \`dead\`, with the reason.
--
-- Reply, one integer a job: 1 buried; 0 stale: the token is no longer in force; -1 gone: no such job.
-- A repeat finds the token out of force and changes nothing.
-- uses: time, lease, last-error, total
local processing_key = KEYS[1]
local dead_key = KEYS[2]
local jobs_key = KEYS[3]
local attempts_key = KEYS[4]
local errors_key = KEYS[5]
local meta_key = KEYS[6]
local list, list_from = ARGV, 1 -- each: id, token, counts (1 or 0), reason (empty: the last error stands)

local now = now_ms()
local buried = total(meta_key, "buried")
redis.call("ZCARD", dead_key) -- checks the type: nothing may fail after the first write

local reply, leases, scores, counted, ids, reasons = {}, {}, {}, {}, {}, {}
for index, lease in ipairs(held_leases(processing_key, list, list_from, 4)) do
  local at = list_from + index * 4 - 4
  local id, counts, reason = list[at], list[at + 2] == "1", list[at + 3]
  local exists = redis.call("HEXISTS", jobs_key, id) == 1
  reply[index] = exists and 0 or -1
  if lease then
    leases[#leases + 1] = lease
  end
  if lease and exists then
    reply[index] = 1
    scores[#scores + 1], scores[#scores + 2] = now, id
    ids[#ids + 1], reasons[#reasons + 1] = id, reason
    if counts then
      counted[#counted + 1] = id
    end
  end
end
local attempts = {}
for index, count in ipairs(#counted > 0 and redis.call("HMGET", attempts_key, unpack(counted)) or {}) do
  attempts[index * 2 - 1], attempts[index * 2] = counted[index], count_of(count) + 1
end
local entries, forgotten = entries_after(errors_key, ids, reasons, {})

if #leases > 0 then
  redis.call("ZREM", processing_key, "") -- removes nothing: a full Redis refuses a script whose first write adds
  if #attempts > 0 then
    redis.call("HSET", attempts_key, unpack(attempts))
  end
  if #entries > 0 then
    redis.call("HSET", errors_key, unpack(entries))
  end
  if #forgotten > 0 then
    redis.call("HDEL", errors_key, unpack(forgotten))
  end
  if #scores > 0 then
    redis.call("ZADD", dead_key, unpack(scores))
    redis.call("HSET", meta_key, "buried", buried + #scores / 2)
  end
  redis.call("ZREM", processing_key, unpack(leases))
end
return reply`,
} as const satisfies ScriptDefinition;

export const cancel = {
  name: "cancel",
  sha1: "ad0ca1fad1a80fc69d7f1c5f4497d13f72c7a41d",
  keys: ["delayed", "dead", "jobs", "attempts", "errors", "meta"],
  args: ["id"],
  listFields: [],
  source: `-- holdfast: cancel
-- Where a job is that is not in \`delayed\`: "dead", "processing", or "gone" when there is no such job.
local function place_beside_delayed(jobs_key, dead_key, id)
  if redis.call("HEXISTS", jobs_key, id) == 0 then
    return "gone"
  end
  return redis.call("ZSCORE", dead_key, id) and "dead" or "processing"
end
-- A count as it is stored; 0 for what is none, such as a text that something else wrote.
local function count_of(text)
  local count = tonumber(text or 0)
  return count and count >= 0 and count <= 9007199254740991 and math.floor(count) or 0
end

-- A running total kept in \`meta\`. Read before the first write, set after it: HINCRBY could fail halfway.
local function total(meta_key, field)
  return count_of(redis.call("HGET", meta_key, field))
end
-- cancel: \`delayed\` -> gone. A job that is held or dead is left as it is.
--
-- Reply: "cancelled", or where the job is instead: "processing", "dead", "gone".
-- A repeat finds it gone and changes nothing.
-- uses: place, total
local delayed_key = KEYS[1]
local dead_key = KEYS[2]
local jobs_key = KEYS[3]
local attempts_key = KEYS[4]
local errors_key = KEYS[5]
local meta_key = KEYS[6]
local id = ARGV[1]

if not redis.call("ZSCORE", delayed_key, id) then
  return place_beside_delayed(jobs_key, dead_key, id)
end
local cancelled = total(meta_key, "cancelled")
redis.call("HLEN", jobs_key) -- checks the type: nothing may fail after the first write
-- Most jobs never fail, so most often both are empty. HLEN checks their types as well.
local has_history = redis.call("EXISTS", attempts_key, errors_key) > 0
  and redis.call("HLEN", attempts_key) + redis.call("HLEN", errors_key) > 0

redis.call("ZREM", delayed_key, id)
redis.call("HDEL", jobs_key, id)
if has_history then
  redis.call("HDEL", attempts_key, id)
  redis.call("HDEL", errors_key, id)
end
redis.call("HSET", meta_key, "cancelled", cancelled + 1)
return "cancelled"`,
} as const satisfies ScriptDefinition;

export const claim = {
  name: "claim",
  sha1: "1aad6c4358b0daf9aad55cff2bf254e867caee2c",
  keys: ["delayed", "processing", "jobs", "attempts", "errors", "claims", "waiting", "meta"],
  args: ["workerId", "request", "maxJobs", "maxBytes", "visibilityTimeoutMs", "pollIntervalMs", "comesBack", "wakeChannel"],
  listFields: [],
  source: `-- holdfast: claim
-- Redis's clock in whole milliseconds. Called once a script: on Redis 7.0 TIME moves while a script runs.
-- Returns the microseconds as well.
local function now_ms()
  local time = redis.call("TIME")
  return time[1] * 1000 + math.floor(time[2] / 1000), time[1] * 1000000 + time[2]
end
-- A number that Redis can add to its clock. Checked before the first write, for ZADD would fail after it.
local function milliseconds(text)
  local number = tonumber(text)
  assert(number and number >= 0 and number <= 9007199254740991, "not a number of milliseconds")
  return number
end
-- A lease is the member \`<id>:<token>\` of \`processing\`. Ids may hold colons, tokens are digits.
local function suffix_of(token)
  return ":" .. string.format("%.0f", token)
end

local function lease_of(id, token)
  return id .. suffix_of(token)
end

local function split_lease(lease)
  return string.match(lease, "^(.*):(%d+)$")
end

-- Which of the listed leases (each an id and a token) are in force: the lease, or false. A lease
-- named twice in one call is held by its first mention only: to settle it is to let it go.
local function held_leases(processing_key, list, first, stride)
  local leases, seen, count = {}, {}, 0
  for at = first, #list, stride do
    count = count + 1
    leases[count] = list[at] .. ":" .. list[at + 1]
  end
  local deadlines = redis.call("ZMSCORE", processing_key, unpack(leases))
  for index = 1, count do
    local lease = leases[index]
    leases[index] = deadlines[index] and not seen[lease] and lease
    seen[lease] = true
  end
  return leases
end
-- The envelopes of the ids, in order, false where there is none. Stops early once max_bytes are read,
-- so that neither a reply nor the memory of a script grows with the size of the payloads. The first
-- one is read alone; its size tells how many to read at a time.
local function read_envelopes(jobs_key, ids, max_bytes)
  local envelopes, bytes, largest, first = {}, 0, 1, 1
  while first <= #ids and bytes < max_bytes do
    local chunk = first == 1 and 1 or math.max(1, math.min(25, math.floor((max_bytes - bytes) / largest)))
    local last = math.min(first + chunk - 1, #ids)
    for _, envelope in ipairs(redis.call("HMGET", jobs_key, unpack(ids, first, last))) do
      if bytes < max_bytes then
        local size = envelope and #envelope or 0
        envelopes[#envelopes + 1] = envelope
        bytes, largest = bytes + size, math.max(largest, size)
      end
    end
    first = last + 1
  end
  return envelopes
end
-- A worker's entry in \`claims\`: when it claimed, in ms, the number and the token of the claim, whether that
-- left the worker full, and what it took, packed: id, due time, id, due time, ...
local function pack_claim(now, request, token, was_full, taken)
  return string.format("%.0f:%.0f:%.0f:%d:", now, request, token, was_full and 1 or 0) .. cmsgpack.pack(taken)
end

-- Returns request, token, whether the worker was full, and where what it took begins: most claims need only
-- the first. Nothing for what is no entry of ours.
local function read_claim(entry)
  local request, token, was_full, packed_at = string.match(entry, "^%d+:(%d+):(%d+):([01]):()")
  return tonumber(request), tonumber(token), was_full == "1", packed_at
end

local function unpack_taken(entry, packed_at)
  return cmsgpack.unpack(string.sub(entry, packed_at))
end

-- 0 for what is no entry of ours.
local function claimed_at(entry)
  return tonumber(string.match(entry, "^(%d+):") or 0)
end
-- An entry of \`errors\`: the text of a job's last failure, and how its last delivery ended. That was this
-- failure, unless a mark of one byte in front says otherwise. A mark takes the place of the one before.
local lease_expired = "lease expired: its worker stopped extending it"
local released_mark, redriven_mark, failed_mark = "\\1", "\\2", "\\3"

local function has_mark(entry)
  return string.find(entry, "^[\\1-\\3]") ~= nil
end

-- Empty where the job never failed.
local function text_of(entry)
  return entry and (has_mark(entry) and string.sub(entry, 2) or entry) or ""
end

-- A text that begins with a mark's byte, or is that of a lost lease, gets a mark of its own: it may be anybody's.
local function entry_of(text, is_release)
  local would_mislead = has_mark(text) or text == lease_expired
  return (is_release and released_mark or would_mislead and failed_mark or "") .. text
end

local function entry_of_lost_lease()
  return lease_expired
end

-- A release in between counts for nothing, a failure without a text does.
local function is_of_lost_lease(entry)
  return entry == lease_expired or entry == released_mark .. lease_expired
end

local function entry_of_redrive()
  return redriven_mark
end

-- The entries of these ids for HSET, and ids for HDEL. Where a text is empty, the last failure stands. A read of
-- the key, so that its type is checked.
local function entries_after(errors_key, ids, texts, releases)
  local entries, forgotten = {}, {}
  for index, entry in ipairs(#ids > 0 and redis.call("HMGET", errors_key, unpack(ids)) or {}) do
    local id, text = ids[index], texts[index]
    local next_entry = entry_of(text == "" and text_of(entry) or text, releases[index])
    if next_entry == "" then
      forgotten[#forgotten + 1] = id
    else
      entries[#entries + 1], entries[#entries + 2] = id, next_entry
    end
  end
  return entries, forgotten
end

-- Why a job is delivered again: by how its last delivery ended. Nil where there was none.
local function redelivery_reason(entry, attempts)
  if not entry then
    return attempts > 0 and "retry" or nil
  end
  local mark = string.sub(entry, 1, 1)
  return mark == released_mark and "released"
    or mark == redriven_mark and "redrive"
    or entry == lease_expired and "lease_expired"
    or "retry"
end
-- A count as it is stored; 0 for what is none, such as a text that something else wrote.
local function count_of(text)
  local count = tonumber(text or 0)
  return count and count >= 0 and count <= 9007199254740991 and math.floor(count) or 0
end

-- A running total kept in \`meta\`. Read before the first write, set after it: HINCRBY could fail halfway.
local function total(meta_key, field)
  return count_of(redis.call("HGET", meta_key, field))
end
-- \`waiting\` says when each waiting worker looks next. An entry more than 100 ms past belongs to a
-- stalled worker and counts for nothing. Whoever wakes drops it.
local function earliest_look(waiting_key, now)
  local entry = redis.call("ZRANGE", waiting_key, now - 100, "+inf", "BYSCORE", "LIMIT", 0, 1, "WITHSCORES")
  return entry[1], tonumber(entry[2])
end

-- Makes one waiting worker look now, unless somebody looks by \`due\` anyway. A worker whose channel has
-- no receiver is gone: it is dropped and the next one is tried, three at most. A wake-up is a hint, so
-- a server that refuses SPUBLISH must not fail the script: hence pcall.
local function wake_for(waiting_key, meta_key, wake_channel, now, due)
  if wake_channel == "" then
    return
  end
  for _ = 1, 3 do
    local worker_id, look = earliest_look(waiting_key, now)
    if not worker_id or look <= math.max(due, now) or redis.call("HGET", meta_key, "paused") then
      return
    end
    redis.call("ZREMRANGEBYSCORE", waiting_key, "-inf", now - 101)
    local receivers = redis.pcall("SPUBLISH", wake_channel .. worker_id, "")
    if type(receivers) == "number" and receivers > 0 then
      redis.call("ZADD", waiting_key, now, worker_id)
      return
    end
    redis.call("ZREM", waiting_key, worker_id)
  end
end
-- claim: the due prefix of \`delayed\` -> \`processing\`, under one fresh token, at most max_jobs.
-- A worker that is left with free slots is put down in \`waiting\`, with the time of its next look.
--
-- Reply: token, now in ms, ms until the caller looks again (-1: it is full or does not wait), ms until the
--   earliest lease ends (0: one has ended, -1: there is none), number of jobs; then three values a job: id,
--   envelope, due time in ms; then three values for each of these jobs that was delivered before: its place
--   among them, from 1, counted attempts so far, and how its last delivery ended ("retry": it failed,
--   "lease_expired", "released", "redrive").
-- A repeated request answers with the same jobs under the same token, as far as they are still held.
--   A request older than the worker's last one claims nothing: { -1 }.
-- uses: time, number, lease, envelope, last-claim, last-error, total, wake
local delayed_key = KEYS[1]
local processing_key = KEYS[2]
local jobs_key = KEYS[3]
local attempts_key = KEYS[4]
local errors_key = KEYS[5]
local claims_key = KEYS[6]
local waiting_key = KEYS[7]
local meta_key = KEYS[8]
local worker_id = ARGV[1]
local request = tonumber(ARGV[2]) -- grows by one with each new claim of this worker
local max_jobs = tonumber(ARGV[3])
local max_bytes = tonumber(ARGV[4]) -- of envelopes in the reply, but for the last one
local visibility_timeout_ms = tonumber(ARGV[5])
local poll_interval_ms = tonumber(ARGV[6]) -- 0: the caller does not wait for more
local comes_back = ARGV[7] == "1" -- the caller claims again at once if it gets max_jobs
local wake_channel = ARGV[8]

local now, now_us = now_ms()
milliseconds(visibility_timeout_ms)
milliseconds(poll_interval_ms)
local meta = redis.call("HMGET", meta_key, "paused", "token")
-- Larger than any before, also where Redis has lost the last one: it never runs ahead of the clock.
local paused, token = meta[1], math.max(count_of(meta[2]) + 1, now_us)
local first_lease = redis.call("ZRANGE", processing_key, 0, 0, "WITHSCORES")
local lease_end = tonumber(first_lease[2])
local last_claim = redis.call("HGET", claims_key, worker_id)
local last_request, last_token, was_full, packed_at
if last_claim then
  last_request, last_token, was_full, packed_at = read_claim(last_claim)
end
if last_request and last_request > request then
  return { -1 }
end
local last_taken = last_request == request and unpack_taken(last_claim, packed_at) or {}
local is_repeat = #last_taken > 0

local taken = {} -- id, due time, id, due time, ...
if is_repeat then
  token = last_token
  redis.call("ZCARD", delayed_key) -- checks the type: nothing may fail after the first write
  for at = 1, #last_taken, 2 do
    local id = last_taken[at]
    if redis.call("ZSCORE", processing_key, lease_of(id, token)) then
      taken[#taken + 1], taken[#taken + 2] = id, last_taken[at + 1]
    end
  end
elseif not paused then
  taken = redis.call("ZRANGE", delayed_key, "-inf", now, "BYSCORE", "LIMIT", 0, max_jobs, "WITHSCORES")
end

local ids = {}
for at = 1, #taken / 2 do
  ids[at] = taken[at * 2 - 1]
end
local envelopes = #ids > 0 and read_envelopes(jobs_key, ids, max_bytes) or {}
-- Most jobs never fail, so most often both are empty.
local has_history = #ids > 0 and redis.call("EXISTS", attempts_key, errors_key) > 0
local attempts = has_history and redis.call("HMGET", attempts_key, unpack(ids))
local errors = has_history and redis.call("HMGET", errors_key, unpack(ids))
local is_full = #envelopes == max_jobs or #envelopes < #ids
if is_repeat then
  is_full = was_full
end

-- Numbers are turned into text once: Redis takes longer to print one than to store a lease.
local lease_end_text, lease_suffix = string.format("%.0f", now + visibility_timeout_ms), suffix_of(token)
local reply, leases, remembered, history = { token, now, -1, -1, 0 }, {}, taken, {}
local at, last_lease = 5, 0
for index = 1, #envelopes do
  local envelope = envelopes[index]
  if envelope then -- an id without an envelope is no job: it only leaves \`delayed\`
    local id = ids[index]
    leases[last_lease + 1], leases[last_lease + 2] = lease_end_text, id .. lease_suffix
    last_lease = last_lease + 2
    reply[at + 1], reply[at + 2], reply[at + 3] = id, envelope, tonumber(taken[index * 2])
    at = at + 3
    local count = has_history and count_of(attempts[index])
    local reason = has_history and redelivery_reason(errors[index], count)
    if reason then
      history[#history + 1], history[#history + 2], history[#history + 3] = last_lease / 2, count, reason
    end
  end
end
if last_lease < #taken then
  remembered = {}
  for of_job = 6, at, 3 do
    remembered[#remembered + 1], remembered[#remembered + 2] = reply[of_job], string.format("%.0f", reply[of_job + 2])
  end
end
reply[5] = last_lease / 2
for index = 1, #history do
  reply[at + index] = history[index]
end

redis.call("ZREM", waiting_key, worker_id)
if not is_repeat then
  if last_lease > 0 then
    -- A small sorted set is a list that each insertion searches from its head. A member over 64 bytes
    -- makes it a skiplist for as long as it lives: measured at 100 leases, 2 us less a job.
    local long_member = string.rep("-", 65)
    local grows_large = not lease_end and last_lease > 32
    if grows_large then
      redis.call("ZADD", processing_key, 0, long_member)
    end
    redis.call("ZADD", processing_key, unpack(leases))
    if grows_large then
      redis.call("ZREM", processing_key, long_member)
    end
    redis.call("HSET", meta_key, "token", token)
    lease_end = math.min(lease_end or math.huge, now + visibility_timeout_ms)
  end
  if #envelopes > 0 then
    redis.call("ZREM", delayed_key, unpack(ids, 1, #envelopes)) -- by name, though by rank is quicker: decision 0012
  end
  redis.call("HSET", claims_key, worker_id, pack_claim(now, request, token, is_full, remembered))
end
if lease_end then
  reply[4] = math.max(0, lease_end - now)
end

if is_full and comes_back then
  return reply
end
local head_due = not paused and tonumber(redis.call("ZRANGE", delayed_key, 0, 0, "WITHSCORES")[2])
if is_full or poll_interval_ms == 0 then
  if head_due then
    wake_for(waiting_key, meta_key, wake_channel, now, head_due)
  end
  return reply
end

-- One sentry looks when the head is due, and a deputy a second later, in case the sentry is gone by
-- then. Whoever finds both there sleeps a whole interval.
local interval_end = now + poll_interval_ms
local next_look = math.min(head_due or interval_end, interval_end)
local looks = redis.call("ZRANGE", waiting_key, now - 100, "+inf", "BYSCORE", "LIMIT", 0, 2, "WITHSCORES")
if looks[2] and tonumber(looks[2]) <= next_look then
  local deputy_look = math.min(next_look + 1000, interval_end)
  next_look = looks[4] and tonumber(looks[4]) <= deputy_look and interval_end or deputy_look
end
redis.call("ZADD", waiting_key, next_look, worker_id)
reply[3] = math.max(0, next_look - now)

-- What dead workers left behind goes little by little: their entries in \`waiting\`, and the claims of
-- those not heard of for an hour, one looked at a call, by chance.
if is_repeat then
  return reply
end
redis.call("ZREMRANGEBYSCORE", waiting_key, "-inf", now - 101)
local found = redis.call("HRANDFIELD", claims_key, 1, "WITHVALUES")
if found[1] and claimed_at(found[2]) < now - 3600000 then
  redis.call("HDEL", claims_key, found[1])
end
return reply`,
} as const satisfies ScriptDefinition;

export const enqueue = {
  name: "enqueue",
  sha1: "9dcf1d60c999abb0c59fcba673cd15444686b6c0",
  keys: ["delayed", "jobs", "waiting", "meta"],
  args: ["wakeChannel", "dataVersion", "shards"],
  listFields: ["id", "envelope", "due"],
  source: `-- holdfast: enqueue
-- Redis's clock in whole milliseconds. Called once a script: on Redis 7.0 TIME moves while a script runs.
-- Returns the microseconds as well.
local function now_ms()
  local time = redis.call("TIME")
  return time[1] * 1000 + math.floor(time[2] / 1000), time[1] * 1000000 + time[2]
end
-- A count as it is stored; 0 for what is none, such as a text that something else wrote.
local function count_of(text)
  local count = tonumber(text or 0)
  return count and count >= 0 and count <= 9007199254740991 and math.floor(count) or 0
end

-- A running total kept in \`meta\`. Read before the first write, set after it: HINCRBY could fail halfway.
local function total(meta_key, field)
  return count_of(redis.call("HGET", meta_key, field))
end
-- \`waiting\` says when each waiting worker looks next. An entry more than 100 ms past belongs to a
-- stalled worker and counts for nothing. Whoever wakes drops it.
local function earliest_look(waiting_key, now)
  local entry = redis.call("ZRANGE", waiting_key, now - 100, "+inf", "BYSCORE", "LIMIT", 0, 1, "WITHSCORES")
  return entry[1], tonumber(entry[2])
end

-- Makes one waiting worker look now, unless somebody looks by \`due\` anyway. A worker whose channel has
-- no receiver is gone: it is dropped and the next one is tried, three at most. A wake-up is a hint, so
-- a server that refuses SPUBLISH must not fail the script: hence pcall.
local function wake_for(waiting_key, meta_key, wake_channel, now, due)
  if wake_channel == "" then
    return
  end
  for _ = 1, 3 do
    local worker_id, look = earliest_look(waiting_key, now)
    if not worker_id or look <= math.max(due, now) or redis.call("HGET", meta_key, "paused") then
      return
    end
    redis.call("ZREMRANGEBYSCORE", waiting_key, "-inf", now - 101)
    local receivers = redis.pcall("SPUBLISH", wake_channel .. worker_id, "")
    if type(receivers) == "number" and receivers > 0 then
      redis.call("ZADD", waiting_key, now, worker_id)
      return
    end
    redis.call("ZREM", waiting_key, worker_id)
  end
end
-- enqueue: new jobs -> \`delayed\`. An id that exists is left as it is.
--
-- Reply, two integers a job: status, due time in ms.
--   status 1  created; also when the stored envelope is byte for byte this one: a resend
--   status 0  duplicate: the id is taken by another job; its due time, or -1 once it is no longer delayed
-- Or { -1, note }: nothing was stored, for the queue is not spread over as many shards as the caller thinks (see
--   reshard).
-- The first write adds: a Redis at its memory limit refuses it with nothing written.
-- A call that adds nothing writes a value over itself: only what was written gives WAIT something to wait for, and
-- only a primary may answer. Its first write is a removal that finds nothing, so that a full Redis answers as well.
-- uses: time, total, wake
local delayed_key = KEYS[1]
local jobs_key = KEYS[2]
local waiting_key = KEYS[3]
local meta_key = KEYS[4]
local wake_channel = ARGV[1] -- prefix of the workers' channels, empty for no wake-ups
local data_version = ARGV[2]
local shards = ARGV[3] -- over how many shards the caller spreads the queue
local list, list_from = ARGV, 4 -- each: id, envelope, due (\`+<ms>\` from now, or \`<ms>\` since 1970)

local now = now_ms()
local meta = redis.call("HMGET", meta_key, "enqueued", "shards", "version")
local enqueued, noted_shards = count_of(meta[1]), meta[2]
if noted_shards and noted_shards ~= shards then
  return { -1, noted_shards }
end
local _, look = earliest_look(waiting_key, now)

local ids = {}
for at = list_from, #list, 3 do
  ids[#ids + 1] = list[at]
end
local stored = redis.call("HMGET", jobs_key, unpack(ids))

local reply, scores, fields = {}, {}, {}
local first_of = {} -- by id: the job of this call
local due_of, score_of = {}, {} -- by delay: the due time, and the same as text
local last = 0
local earliest_due = math.huge
for index = 1, #ids do
  local at = list_from + index * 3 - 3
  local id, envelope, due_text = list[at], list[at + 1], list[at + 2]
  local due, score = due_of[due_text], score_of[due_text]
  if not due then
    due, score = tonumber(due_text), due_text
    if string.byte(due_text) == 43 then -- a plus sign
      due = now + due
      -- Once for each delay: Redis takes longer to print a number than to store a job.
      score = string.format("%.0f", due)
      due_of[due_text], score_of[due_text] = due, score
    end
  end
  local present = stored[index] or first_of[id] and list[list_from + first_of[id] * 3 - 2]
  if not present then
    first_of[id] = index
    scores[last + 1], scores[last + 2] = score, id
    fields[last + 1], fields[last + 2] = id, envelope
    last = last + 2
    earliest_due = due < earliest_due and due or earliest_due
    reply[index * 2 - 1], reply[index * 2] = 1, due
  else
    local first = first_of[id]
    local due_now = first and reply[first * 2] or tonumber(redis.call("ZSCORE", delayed_key, id) or -1)
    if present == envelope then
      -- A resend whose job was claimed in between was due by now at the latest.
      reply[index * 2 - 1], reply[index * 2] = 1, due_now >= 0 and due_now or math.min(due, now)
    else
      reply[index * 2 - 1], reply[index * 2] = 0, due_now
    end
  end
end

if last > 0 then
  redis.call("ZADD", delayed_key, unpack(scores))
  redis.call("HSET", jobs_key, unpack(fields))
  if not meta[3] then
    redis.call("HSET", meta_key, "version", data_version, "shards", shards)
  end
  redis.call("HSET", meta_key, "enqueued", enqueued + last / 2)
  if look and look > earliest_due then
    wake_for(waiting_key, meta_key, wake_channel, now, earliest_due)
  end
else
  redis.call("HDEL", meta_key, "")
  redis.call("HSET", meta_key, "enqueued", enqueued)
end
return reply`,
} as const satisfies ScriptDefinition;

export const extend = {
  name: "extend",
  sha1: "c8a424112e804c23483f03332959e6a0d45e93f3",
  keys: ["processing"],
  args: ["visibilityTimeoutMs"],
  listFields: ["id", "token"],
  source: `-- holdfast: extend
-- Redis's clock in whole milliseconds. Called once a script: on Redis 7.0 TIME moves while a script runs.
-- Returns the microseconds as well.
local function now_ms()
  local time = redis.call("TIME")
  return time[1] * 1000 + math.floor(time[2] / 1000), time[1] * 1000000 + time[2]
end
-- A number that Redis can add to its clock. Checked before the first write, for ZADD would fail after it.
local function milliseconds(text)
  local number = tonumber(text)
  assert(number and number >= 0 and number <= 9007199254740991, "not a number of milliseconds")
  return number
end
-- A lease is the member \`<id>:<token>\` of \`processing\`. Ids may hold colons, tokens are digits.
local function suffix_of(token)
  return ":" .. string.format("%.0f", token)
end

local function lease_of(id, token)
  return id .. suffix_of(token)
end

local function split_lease(lease)
  return string.match(lease, "^(.*):(%d+)$")
end

-- Which of the listed leases (each an id and a token) are in force: the lease, or false. A lease
-- named twice in one call is held by its first mention only: to settle it is to let it go.
local function held_leases(processing_key, list, first, stride)
  local leases, seen, count = {}, {}, 0
  for at = first, #list, stride do
    count = count + 1
    leases[count] = list[at] .. ":" .. list[at + 1]
  end
  local deadlines = redis.call("ZMSCORE", processing_key, unpack(leases))
  for index = 1, count do
    local lease = leases[index]
    leases[index] = deadlines[index] and not seen[lease] and lease
    seen[lease] = true
  end
  return leases
end
-- extend: the deadlines of leases still in force := now + visibility timeout.
--
-- Reply, one integer a job: 1 extended; 0 refused: the token is no longer in force, or the
--   list has named the lease before.
-- A repeat counts the visibility timeout from its own time.
-- uses: time, number, lease
local processing_key = KEYS[1]
local visibility_timeout_ms = tonumber(ARGV[1])
local list, list_from = ARGV, 2 -- each: id, token

local now = now_ms()
milliseconds(visibility_timeout_ms)
local reply, scores = {}, {}
for index, lease in ipairs(held_leases(processing_key, list, list_from, 2)) do
  reply[index] = lease and 1 or 0
  if lease then
    scores[#scores + 1], scores[#scores + 2] = now + visibility_timeout_ms, lease
  end
end

if #scores > 0 then
  redis.call("ZREM", processing_key, "") -- removes nothing: a full Redis refuses a script whose first write adds
  redis.call("ZADD", processing_key, unpack(scores))
end
return reply`,
} as const satisfies ScriptDefinition;

export const leave = {
  name: "leave",
  sha1: "f40807ca88e0b02e03c7f49e0eafc10da499f859",
  keys: ["delayed", "claims", "waiting", "meta"],
  args: ["workerId", "wakeChannel"],
  listFields: [],
  source: `-- holdfast: leave
-- Redis's clock in whole milliseconds. Called once a script: on Redis 7.0 TIME moves while a script runs.
-- Returns the microseconds as well.
local function now_ms()
  local time = redis.call("TIME")
  return time[1] * 1000 + math.floor(time[2] / 1000), time[1] * 1000000 + time[2]
end
-- \`waiting\` says when each waiting worker looks next. An entry more than 100 ms past belongs to a
-- stalled worker and counts for nothing. Whoever wakes drops it.
local function earliest_look(waiting_key, now)
  local entry = redis.call("ZRANGE", waiting_key, now - 100, "+inf", "BYSCORE", "LIMIT", 0, 1, "WITHSCORES")
  return entry[1], tonumber(entry[2])
end

-- Makes one waiting worker look now, unless somebody looks by \`due\` anyway. A worker whose channel has
-- no receiver is gone: it is dropped and the next one is tried, three at most. A wake-up is a hint, so
-- a server that refuses SPUBLISH must not fail the script: hence pcall.
local function wake_for(waiting_key, meta_key, wake_channel, now, due)
  if wake_channel == "" then
    return
  end
  for _ = 1, 3 do
    local worker_id, look = earliest_look(waiting_key, now)
    if not worker_id or look <= math.max(due, now) or redis.call("HGET", meta_key, "paused") then
      return
    end
    redis.call("ZREMRANGEBYSCORE", waiting_key, "-inf", now - 101)
    local receivers = redis.pcall("SPUBLISH", wake_channel .. worker_id, "")
    if type(receivers) == "number" and receivers > 0 then
      redis.call("ZADD", waiting_key, now, worker_id)
      return
    end
    redis.call("ZREM", waiting_key, worker_id)
  end
end
-- leave: a worker goes. Its name leaves \`waiting\` and \`claims\`, and the watch is handed over.
--
-- Reply: 1. A repeat changes nothing.
-- uses: time, wake
local delayed_key = KEYS[1]
local claims_key = KEYS[2]
local waiting_key = KEYS[3]
local meta_key = KEYS[4]
local worker_id = ARGV[1]
local wake_channel = ARGV[2]

local now = now_ms()
local head_due = tonumber(redis.call("ZRANGE", delayed_key, 0, 0, "WITHSCORES")[2])
redis.call("HLEN", claims_key) -- checks the types: nothing may fail after the first write
redis.call("HLEN", meta_key)

redis.call("ZREM", waiting_key, worker_id)
redis.call("HDEL", claims_key, worker_id)
if head_due then
  wake_for(waiting_key, meta_key, wake_channel, now, head_due)
end
return 1`,
} as const satisfies ScriptDefinition;

export const listDead = {
  name: "list-dead",
  sha1: "72aae378a0bd2e7f58f1edb48a1203e1e1d54d1c",
  keys: ["dead"],
  args: ["maxJobs", "afterId", "afterMs", "untilMs"],
  listFields: [],
  source: `-- holdfast: list-dead
-- list-dead: a page of \`dead\`, in the order of (time of death, id as bytes), after a given place in it,
-- whether or not an entry is there. Read only.
--
-- Reply, two values a job: id, time of death in ms.
local dead_key = KEYS[1]
local max_jobs = tonumber(ARGV[1])
local after_id = ARGV[2] -- empty for the first page
local after_ms = ARGV[3]
local until_ms = ARGV[4] -- jobs that died later are left out

-- Lua compares strings by the server's locale, Redis by their bytes.
local function is_after(id, other)
  for at = 1, math.min(#id, #other) do
    if string.byte(id, at) ~= string.byte(other, at) then
      return string.byte(id, at) > string.byte(other, at)
    end
  end
  return #id > #other
end

-- Among those that died in the same millisecond the place is found by halving.
local first = redis.call("ZCOUNT", dead_key, "-inf", "(" .. after_ms)
local last = redis.call("ZCOUNT", dead_key, "-inf", after_ms)
while first < last do
  local middle = math.floor((first + last) / 2)
  if is_after(redis.call("ZRANGE", dead_key, middle, middle)[1], after_id) then
    last = middle
  else
    first = middle + 1
  end
end
local page = redis.call("ZRANGE", dead_key, first, first + max_jobs - 1, "WITHSCORES")
local reply = {}
for at = 1, #page, 2 do
  local died = tonumber(page[at + 1])
  if died <= tonumber(until_ms) then
    reply[#reply + 1], reply[#reply + 2] = page[at], died
  end
end
return reply`,
} as const satisfies ScriptDefinition;

export const mendQueue = {
  name: "mend-queue",
  sha1: "9115d8af5a6ed20ed03b3fb04fda018a340ba67d",
  keys: ["delayed", "processing", "dead", "jobs", "attempts", "errors", "claims", "waiting", "meta"],
  args: ["mends"],
  listFields: [],
  source: `-- holdfast: mend-queue
-- Whether a stored value is a count that scripts can add to: digits alone, within 2^53.
local function is_count(value)
  return string.find(value, "^%d+$") ~= nil and tonumber(value) <= 9007199254740992
end
-- mend-queue: looks at what the queue keeps besides its jobs, and puts it right if asked to. No key may
-- have a time to live. The running totals and the token counter in \`meta\` must be whole numbers, and
-- enqueued = completed + cancelled + purged + stored jobs: where that is not so, enqueued follows.
--
-- Reply: one text for each thing that is wrong. A repeat finds what it mended right.
-- uses: count
local delayed_key = KEYS[1]
local processing_key = KEYS[2]
local dead_key = KEYS[3]
local jobs_key = KEYS[4]
local attempts_key = KEYS[5]
local errors_key = KEYS[6]
local claims_key = KEYS[7]
local waiting_key = KEYS[8]
local meta_key = KEYS[9]
local mends = ARGV[1] == "1"

local wrong, spoilt, mortal, totals = {}, {}, {}, {}
local fields = { "token", "enqueued", "completed", "cancelled", "purged", "retried", "expired", "buried", "redriven" }
for index, value in ipairs(redis.call("HMGET", meta_key, unpack(fields))) do
  local field = fields[index]
  totals[field] = value and is_count(value) and tonumber(value) or 0
  if value and not is_count(value) then
    spoilt[#spoilt + 1] = field
    wrong[#wrong + 1] = field .. " in meta is no whole number"
  end
end
local counted = totals.completed + totals.cancelled + totals.purged + redis.call("HLEN", jobs_key)
if totals.enqueued ~= counted then
  wrong[#wrong + 1] = string.format(
    "enqueued is %.0f, but completed, cancelled, purged and stored jobs are %.0f", totals.enqueued, counted
  )
end
local function check_life(part, key)
  if redis.call("PTTL", key) >= 0 then
    mortal[#mortal + 1] = key
    wrong[#wrong + 1] = part .. " has a time to live"
  end
end
check_life("delayed", delayed_key)
check_life("processing", processing_key)
check_life("dead", dead_key)
check_life("jobs", jobs_key)
check_life("attempts", attempts_key)
check_life("errors", errors_key)
check_life("claims", claims_key)
check_life("waiting", waiting_key)
check_life("meta", meta_key)

if mends and #wrong > 0 then
  redis.call("HDEL", meta_key, "enqueued", unpack(spoilt))
  redis.call("HSET", meta_key, "enqueued", counted)
  for _, key in ipairs(mortal) do
    redis.call("PERSIST", key)
  end
end
return wrong`,
} as const satisfies ScriptDefinition;

export const mend = {
  name: "mend",
  sha1: "0eedd262fda1cf5bd1815532f3a54ace93099881",
  keys: ["delayed", "processing", "dead", "jobs", "attempts", "errors", "meta"],
  args: ["mends", "maxLeases", "scanToken"],
  listFields: ["id", "tokens"],
  source: `-- holdfast: mend
-- Redis's clock in whole milliseconds. Called once a script: on Redis 7.0 TIME moves while a script runs.
-- Returns the microseconds as well.
local function now_ms()
  local time = redis.call("TIME")
  return time[1] * 1000 + math.floor(time[2] / 1000), time[1] * 1000000 + time[2]
end
-- A lease is the member \`<id>:<token>\` of \`processing\`. Ids may hold colons, tokens are digits.
local function suffix_of(token)
  return ":" .. string.format("%.0f", token)
end

local function lease_of(id, token)
  return id .. suffix_of(token)
end

local function split_lease(lease)
  return string.match(lease, "^(.*):(%d+)$")
end

-- Which of the listed leases (each an id and a token) are in force: the lease, or false. A lease
-- named twice in one call is held by its first mention only: to settle it is to let it go.
local function held_leases(processing_key, list, first, stride)
  local leases, seen, count = {}, {}, 0
  for at = first, #list, stride do
    count = count + 1
    leases[count] = list[at] .. ":" .. list[at + 1]
  end
  local deadlines = redis.call("ZMSCORE", processing_key, unpack(leases))
  for index = 1, count do
    local lease = leases[index]
    leases[index] = deadlines[index] and not seen[lease] and lease
    seen[lease] = true
  end
  return leases
end
-- Whether a stored value is a count that scripts can add to: digits alone, within 2^53.
local function is_count(value)
  return string.find(value, "^%d+$") ~= nil and tonumber(value) <= 9007199254740992
end
-- mend: looks at ids as a whole, and mends what breaches the invariant if asked to. Nothing that has an
-- envelope is removed: an orphan becomes due now; of several places the strongest stays (the lease
-- with the highest token, then \`delayed\`, then \`dead\`).
--
-- A job in no place is an orphan only if no lease of it can have been missed: another holder beside one
-- that runs would be worse than a late job. Either \`processing\` is small enough to be searched here; or
-- the token counter is still the one from before the caller's scan of it, so that nothing was claimed
-- since and every lease was seen.
--
-- Reply, two strings an id: kind, and where it was found, by commas.
--   "sound"; "orphan" (a job in no place), "double" (a job in several), "dangling" (an entry without a
--   job), "malformed" (a lease without a token, a count that is none), "unknown" (in no place, but a
--   lease may have been missed). A repeat finds what it mended sound.
-- uses: time, lease, count
local delayed_key = KEYS[1]
local processing_key = KEYS[2]
local dead_key = KEYS[3]
local jobs_key = KEYS[4]
local attempts_key = KEYS[5]
local errors_key = KEYS[6]
local meta_key = KEYS[7]
local mends = ARGV[1] == "1"
local max_leases = tonumber(ARGV[2])
local scan_token = ARGV[3] -- the token counter before the caller's scan of \`processing\`; empty for no scan
local list, list_from = ARGV, 4 -- each: id, tokens (of its leases that the scan saw, by commas)

local now = now_ms()
local lease_count = redis.call("ZCARD", processing_key)
redis.call("HLEN", errors_key) -- checks the type: nothing may fail after the first write
local leases_of = {} -- by listed id
for at = list_from, #list, 2 do
  leases_of[list[at]] = {}
end
local function add_lease(id, lease, token)
  table.insert(leases_of[id], { lease = lease, token = tonumber(token) })
end
local sees_all = lease_count <= max_leases
if sees_all then
  for _, lease in ipairs(redis.call("ZRANGE", processing_key, 0, -1)) do
    local id, token = split_lease(lease)
    if id and leases_of[id] then
      add_lease(id, lease, token)
    end
  end
else
  sees_all = scan_token ~= "" and (redis.call("HGET", meta_key, "token") or "none") == scan_token
  local seen = {}
  for at = list_from, #list, 2 do
    for token in string.gmatch(seen[list[at]] and "" or list[at + 1], "%d+") do
      local lease = list[at] .. ":" .. token
      if redis.call("ZSCORE", processing_key, lease) then
        add_lease(list[at], lease, token)
      end
    end
    seen[list[at]] = true
  end
end

local function examine(id)
  local count = redis.call("HGET", attempts_key, id)
  local found = {
    leases = leases_of[id],
    is_delayed = redis.call("ZSCORE", delayed_key, id),
    is_dead = redis.call("ZSCORE", dead_key, id),
    has_bad_lease = not split_lease(id) and redis.call("ZSCORE", processing_key, id),
    has_bad_count = count and not is_count(count),
  }
  local where = {}
  local function note(is_there, text)
    where[#where + 1] = is_there and text or nil
  end
  table.sort(found.leases, function(a, b) return a.token > b.token end)
  for _, held in ipairs(found.leases) do
    note(true, "lease " .. string.match(held.lease, "%d+$"))
  end
  note(found.is_delayed, "delayed")
  note(found.is_dead, "dead")
  local places = #where
  note(found.has_bad_lease, "lease without a token")
  note(found.has_bad_count, "attempts that are no number")
  local is_malformed = #where > places
  if redis.call("HEXISTS", jobs_key, id) == 0 then
    note(count and not found.has_bad_count, "attempts")
    note(redis.call("HEXISTS", errors_key, id) == 1, "errors")
    found.kind = #where > 0 and "dangling" or "sound"
  elseif places == 0 then
    found.kind = sees_all and "orphan" or "unknown"
  else
    found.kind = places > 1 and "double" or is_malformed and "malformed" or "sound"
  end
  found.where = table.concat(where, ",")
  return found
end

-- Removals only, so that they come first: a full Redis would refuse ZADD as the first write.
local function remove_breach(id, found)
  local is_dangling = found.kind == "dangling"
  for _ = #found.leases, is_dangling and 1 or 2, -1 do
    redis.call("ZREM", processing_key, table.remove(found.leases).lease)
  end
  if found.has_bad_lease then
    redis.call("ZREM", processing_key, id)
  end
  if is_dangling or found.has_bad_count then
    redis.call("HDEL", attempts_key, id)
  end
  if is_dangling then
    redis.call("HDEL", errors_key, id)
  end
  if is_dangling or found.kind == "orphan" or #found.leases > 0 then
    redis.call("ZREM", delayed_key, id)
  end
  if is_dangling or found.kind == "double" then
    redis.call("ZREM", dead_key, id)
  end
end

local reply = {}
for at = list_from, #list, 2 do
  local id = list[at]
  local found = examine(id)
  reply[#reply + 1], reply[#reply + 2] = found.kind, found.where
  if mends and found.kind ~= "sound" and found.kind ~= "unknown" then
    remove_breach(id, found)
    if found.kind == "orphan" then
      redis.call("ZADD", delayed_key, now, id)
    end
  end
end
return reply`,
} as const satisfies ScriptDefinition;

export const nack = {
  name: "nack",
  sha1: "75cd4d0825bc43aceca06f136dc97c1e77f8992f",
  keys: ["delayed", "processing", "jobs", "attempts", "errors", "waiting", "meta"],
  args: ["wakeChannel"],
  listFields: ["id", "token", "delayMs", "counts", "error"],
  source: `-- holdfast: nack
-- Redis's clock in whole milliseconds. Called once a script: on Redis 7.0 TIME moves while a script runs.
-- Returns the microseconds as well.
local function now_ms()
  local time = redis.call("TIME")
  return time[1] * 1000 + math.floor(time[2] / 1000), time[1] * 1000000 + time[2]
end
-- A number that Redis can add to its clock. Checked before the first write, for ZADD would fail after it.
local function milliseconds(text)
  local number = tonumber(text)
  assert(number and number >= 0 and number <= 9007199254740991, "not a number of milliseconds")
  return number
end
-- A lease is the member \`<id>:<token>\` of \`processing\`. Ids may hold colons, tokens are digits.
local function suffix_of(token)
  return ":" .. string.format("%.0f", token)
end

local function lease_of(id, token)
  return id .. suffix_of(token)
end

local function split_lease(lease)
  return string.match(lease, "^(.*):(%d+)$")
end

-- Which of the listed leases (each an id and a token) are in force: the lease, or false. A lease
-- named twice in one call is held by its first mention only: to settle it is to let it go.
local function held_leases(processing_key, list, first, stride)
  local leases, seen, count = {}, {}, 0
  for at = first, #list, stride do
    count = count + 1
    leases[count] = list[at] .. ":" .. list[at + 1]
  end
  local deadlines = redis.call("ZMSCORE", processing_key, unpack(leases))
  for index = 1, count do
    local lease = leases[index]
    leases[index] = deadlines[index] and not seen[lease] and lease
    seen[lease] = true
  end
  return leases
end
-- An entry of \`errors\`: the text of a job's last failure, and how its last delivery ended. That was this
-- failure, unless a mark of one byte in front says otherwise. A mark takes the place of the one before.
local lease_expired = "lease expired: its worker stopped extending it"
local released_mark, redriven_mark, failed_mark = "\\1", "\\2", "\\3"

local function has_mark(entry)
  return string.find(entry, "^[\\1-\\3]") ~= nil
end

-- Empty where the job never failed.
local function text_of(entry)
  return entry and (has_mark(entry) and string.sub(entry, 2) or entry) or ""
end

-- A text that begins with a mark's byte, or is that of a lost lease, gets a mark of its own: it may be anybody's.
local function entry_of(text, is_release)
  local would_mislead = has_mark(text) or text == lease_expired
  return (is_release and released_mark or would_mislead and failed_mark or "") .. text
end

local function entry_of_lost_lease()
  return lease_expired
end

-- A release in between counts for nothing, a failure without a text does.
local function is_of_lost_lease(entry)
  return entry == lease_expired or entry == released_mark .. lease_expired
end

local function entry_of_redrive()
  return redriven_mark
end

-- The entries of these ids for HSET, and ids for HDEL. Where a text is empty, the last failure stands. A read of
-- the key, so that its type is checked.
local function entries_after(errors_key, ids, texts, releases)
  local entries, forgotten = {}, {}
  for index, entry in ipairs(#ids > 0 and redis.call("HMGET", errors_key, unpack(ids)) or {}) do
    local id, text = ids[index], texts[index]
    local next_entry = entry_of(text == "" and text_of(entry) or text, releases[index])
    if next_entry == "" then
      forgotten[#forgotten + 1] = id
    else
      entries[#entries + 1], entries[#entries + 2] = id, next_entry
    end
  end
  return entries, forgotten
end

-- Why a job is delivered again: by how its last delivery ended. Nil where there was none.
local function redelivery_reason(entry, attempts)
  if not entry then
    return attempts > 0 and "retry" or nil
  end
  local mark = string.sub(entry, 1, 1)
  return mark == released_mark and "released"
    or mark == redriven_mark and "redrive"
    or entry == lease_expired and "lease_expired"
    or "retry"
end
-- A count as it is stored; 0 for what is none, such as a text that something else wrote.
local function count_of(text)
  local count = tonumber(text or 0)
  return count and count >= 0 and count <= 9007199254740991 and math.floor(count) or 0
end

-- A running total kept in \`meta\`. Read before the first write, set after it: HINCRBY could fail halfway.
local function total(meta_key, field)
  return count_of(redis.call("HGET", meta_key, field))
end
-- \`waiting\` says when each waiting worker looks next. An entry more than 100 ms past belongs to a
-- stalled worker and counts for nothing. Whoever wakes drops it.
local function earliest_look(waiting_key, now)
  local entry = redis.call("ZRANGE", waiting_key, now - 100, "+inf", "BYSCORE", "LIMIT", 0, 1, "WITHSCORES")
  return entry[1], tonumber(entry[2])
end

-- Makes one waiting worker look now, unless somebody looks by \`due\` anyway. A worker whose channel has
-- no receiver is gone: it is dropped and the next one is tried, three at most. A wake-up is a hint, so
-- a server that refuses SPUBLISH must not fail the script: hence pcall.
local function wake_for(waiting_key, meta_key, wake_channel, now, due)
  if wake_channel == "" then
    return
  end
  for _ = 1, 3 do
    local worker_id, look = earliest_look(waiting_key, now)
    if not worker_id or look <= math.max(due, now) or redis.call("HGET", meta_key, "paused") then
      return
    end
    redis.call("ZREMRANGEBYSCORE", waiting_key, "-inf", now - 101)
    local receivers = redis.pcall("SPUBLISH", wake_channel .. worker_id, "")
    if type(receivers) == "number" and receivers > 0 then
      redis.call("ZADD", waiting_key, now, worker_id)
      return
    end
    redis.call("ZREM", waiting_key, worker_id)
  end
end
-- nack: \`processing\` -> \`delayed\`, due again after a delay. Counts an attempt unless it is a release.
--
-- Reply, one integer a job: its new due time in ms; 0 stale: the token is no longer in force;
--   -1 gone: no such job. A repeat finds the token out of force and changes nothing.
-- uses: time, number, lease, last-error, total, wake
local delayed_key = KEYS[1]
local processing_key = KEYS[2]
local jobs_key = KEYS[3]
local attempts_key = KEYS[4]
local errors_key = KEYS[5]
local waiting_key = KEYS[6]
local meta_key = KEYS[7]
local wake_channel = ARGV[1]
local list, list_from = ARGV, 2 -- each: id, token, delay_ms, counts (1 or 0), error (empty: the last one stands)

local now = now_ms()
local retried = total(meta_key, "retried")
redis.call("ZCARD", delayed_key) -- checks the types: nothing may fail after the first write
redis.call("ZCARD", waiting_key)

local reply, leases, scores, counted = {}, {}, {}, {}
local ids, texts, releases = {}, {}, {}
local earliest_due = math.huge
for index, lease in ipairs(held_leases(processing_key, list, list_from, 5)) do
  local at = list_from + index * 5 - 5
  local id, delay_ms, counts, error_text = list[at], milliseconds(list[at + 2]), list[at + 3] == "1", list[at + 4]
  local exists = redis.call("HEXISTS", jobs_key, id) == 1
  reply[index] = exists and 0 or -1
  if lease then
    leases[#leases + 1] = lease
  end
  if lease and exists then
    local due = now + delay_ms
    reply[index], earliest_due = due, math.min(earliest_due, due)
    scores[#scores + 1], scores[#scores + 2] = due, id
    if counts then
      counted[#counted + 1] = id
    end
    ids[#ids + 1], texts[#texts + 1], releases[#releases + 1] = id, error_text, not counts
  end
end
local attempts = {}
for index, count in ipairs(#counted > 0 and redis.call("HMGET", attempts_key, unpack(counted)) or {}) do
  attempts[index * 2 - 1], attempts[index * 2] = counted[index], count_of(count) + 1
end
local entries, forgotten = entries_after(errors_key, ids, texts, releases)

if #leases > 0 then
  redis.call("ZREM", processing_key, "") -- removes nothing: a full Redis refuses a script whose first write adds
  if #attempts > 0 then
    redis.call("HSET", attempts_key, unpack(attempts))
    redis.call("HSET", meta_key, "retried", retried + #counted)
  end
  if #entries > 0 then
    redis.call("HSET", errors_key, unpack(entries))
  end
  if #forgotten > 0 then
    redis.call("HDEL", errors_key, unpack(forgotten))
  end
  if #scores > 0 then
    redis.call("ZADD", delayed_key, unpack(scores))
    wake_for(waiting_key, meta_key, wake_channel, now, earliest_due)
  end
  redis.call("ZREM", processing_key, unpack(leases))
end
return reply`,
} as const satisfies ScriptDefinition;

export const open = {
  name: "open",
  sha1: "b05bb159cb6b81a51acf6bbcfadd4b9c8cce34df",
  keys: ["delayed", "processing", "dead", "jobs", "attempts", "errors", "claims", "waiting", "meta"],
  args: [],
  listFields: [],
  source: `-- holdfast: open
-- open: may this release of holdfast use the queue's data? Read only, once a queue object.
--
-- Reply: the data version (0: the queue is new), what is noted of the number of shards (0: nothing yet; see
--   reshard), stored jobs, then the name of each part whose type is wrong.
local delayed_key = KEYS[1]
local processing_key = KEYS[2]
local dead_key = KEYS[3]
local jobs_key = KEYS[4]
local attempts_key = KEYS[5]
local errors_key = KEYS[6]
local claims_key = KEYS[7]
local waiting_key = KEYS[8]
local meta_key = KEYS[9]

local reply = { 0, "0", 0 }
local function check(part, key, expected)
  local found = redis.call("TYPE", key).ok
  if found ~= "none" and found ~= expected then
    reply[#reply + 1] = part
  end
end
check("delayed", delayed_key, "zset")
check("processing", processing_key, "zset")
check("dead", dead_key, "zset")
check("jobs", jobs_key, "hash")
check("attempts", attempts_key, "hash")
check("errors", errors_key, "hash")
check("claims", claims_key, "hash")
check("waiting", waiting_key, "zset")
check("meta", meta_key, "hash")
if #reply == 3 then
  local meta = redis.call("HMGET", meta_key, "version", "shards")
  reply[1] = tonumber(meta[1] or 0) or 0
  reply[2] = meta[2] or "0"
  reply[3] = redis.call("HLEN", jobs_key)
end
return reply`,
} as const satisfies ScriptDefinition;

export const pause = {
  name: "pause",
  sha1: "05d7d8ad537b91b668b383365000f244ddf23c1d",
  keys: ["meta"],
  args: [],
  listFields: [],
  source: `-- holdfast: pause
-- pause: claims give nothing until resume. What is held goes on, and enqueue goes on.
--
-- Reply: 1. A repeat changes nothing.
local meta_key = KEYS[1]

redis.call("HDEL", meta_key, "paused") -- a removal first: a full Redis would refuse HSET
redis.call("HSET", meta_key, "paused", 1)
return 1`,
} as const satisfies ScriptDefinition;

export const peek = {
  name: "peek",
  sha1: "f0b6231237430e3fd51029e53512b92e5a1ddc05",
  keys: ["delayed", "dead", "jobs", "attempts", "errors"],
  args: ["maxBytes"],
  listFields: ["id"],
  source: `-- holdfast: peek
-- Redis's clock in whole milliseconds. Called once a script: on Redis 7.0 TIME moves while a script runs.
-- Returns the microseconds as well.
local function now_ms()
  local time = redis.call("TIME")
  return time[1] * 1000 + math.floor(time[2] / 1000), time[1] * 1000000 + time[2]
end
-- The envelopes of the ids, in order, false where there is none. Stops early once max_bytes are read,
-- so that neither a reply nor the memory of a script grows with the size of the payloads. The first
-- one is read alone; its size tells how many to read at a time.
local function read_envelopes(jobs_key, ids, max_bytes)
  local envelopes, bytes, largest, first = {}, 0, 1, 1
  while first <= #ids and bytes < max_bytes do
    local chunk = first == 1 and 1 or math.max(1, math.min(25, math.floor((max_bytes - bytes) / largest)))
    local last = math.min(first + chunk - 1, #ids)
    for _, envelope in ipairs(redis.call("HMGET", jobs_key, unpack(ids, first, last))) do
      if bytes < max_bytes then
        local size = envelope and #envelope or 0
        envelopes[#envelopes + 1] = envelope
        bytes, largest = bytes + size, math.max(largest, size)
      end
    end
    first = last + 1
  end
  return envelopes
end
-- An entry of \`errors\`: the text of a job's last failure, and how its last delivery ended. That was this
-- failure, unless a mark of one byte in front says otherwise. A mark takes the place of the one before.
local lease_expired = "lease expired: its worker stopped extending it"
local released_mark, redriven_mark, failed_mark = "\\1", "\\2", "\\3"

local function has_mark(entry)
  return string.find(entry, "^[\\1-\\3]") ~= nil
end

-- Empty where the job never failed.
local function text_of(entry)
  return entry and (has_mark(entry) and string.sub(entry, 2) or entry) or ""
end

-- A text that begins with a mark's byte, or is that of a lost lease, gets a mark of its own: it may be anybody's.
local function entry_of(text, is_release)
  local would_mislead = has_mark(text) or text == lease_expired
  return (is_release and released_mark or would_mislead and failed_mark or "") .. text
end

local function entry_of_lost_lease()
  return lease_expired
end

-- A release in between counts for nothing, a failure without a text does.
local function is_of_lost_lease(entry)
  return entry == lease_expired or entry == released_mark .. lease_expired
end

local function entry_of_redrive()
  return redriven_mark
end

-- The entries of these ids for HSET, and ids for HDEL. Where a text is empty, the last failure stands. A read of
-- the key, so that its type is checked.
local function entries_after(errors_key, ids, texts, releases)
  local entries, forgotten = {}, {}
  for index, entry in ipairs(#ids > 0 and redis.call("HMGET", errors_key, unpack(ids)) or {}) do
    local id, text = ids[index], texts[index]
    local next_entry = entry_of(text == "" and text_of(entry) or text, releases[index])
    if next_entry == "" then
      forgotten[#forgotten + 1] = id
    else
      entries[#entries + 1], entries[#entries + 2] = id, next_entry
    end
  end
  return entries, forgotten
end

-- Why a job is delivered again: by how its last delivery ended. Nil where there was none.
local function redelivery_reason(entry, attempts)
  if not entry then
    return attempts > 0 and "retry" or nil
  end
  local mark = string.sub(entry, 1, 1)
  return mark == released_mark and "released"
    or mark == redriven_mark and "redrive"
    or entry == lease_expired and "lease_expired"
    or "retry"
end
-- peek: jobs by id. Read only.
--
-- Reply, five values an id: state ("delayed", "due", "processing", "dead", "gone"), due time or time of
--   death in ms (-1: neither), envelope, counted attempts, last error (both may be empty).
--   Stops early once max_bytes of envelopes are read.
-- uses: time, envelope, last-error
local delayed_key = KEYS[1]
local dead_key = KEYS[2]
local jobs_key = KEYS[3]
local attempts_key = KEYS[4]
local errors_key = KEYS[5]
local max_bytes = tonumber(ARGV[1])
local list, list_from = ARGV, 2 -- each: id

local now = now_ms()
local ids = {}
for at = list_from, #list do
  ids[#ids + 1] = list[at]
end
local envelopes = read_envelopes(jobs_key, ids, max_bytes)
local dues = redis.call("ZMSCORE", delayed_key, unpack(ids, 1, #envelopes))
local deaths = redis.call("ZMSCORE", dead_key, unpack(ids, 1, #envelopes))
local attempts = redis.call("HMGET", attempts_key, unpack(ids, 1, #envelopes))
local errors = redis.call("HMGET", errors_key, unpack(ids, 1, #envelopes))
local reply = {}
for index, envelope in ipairs(envelopes) do
  local due, died = tonumber(dues[index]), tonumber(deaths[index])
  local state = (due and (due <= now and "due" or "delayed")) or (died and "dead") or "processing"
  local at = #reply
  reply[at + 1] = envelope and state or "gone"
  reply[at + 2] = due or died or -1
  reply[at + 3] = envelope or ""
  reply[at + 4] = tonumber(attempts[index] or 0) or 0
  reply[at + 5] = text_of(errors[index])
end
return reply`,
} as const satisfies ScriptDefinition;

export const purge = {
  name: "purge",
  sha1: "707c16b0a1375e4ecfbfdf367b630c4021e16814",
  keys: ["dead", "jobs", "attempts", "errors", "meta"],
  args: [],
  listFields: ["id"],
  source: `-- holdfast: purge
-- A count as it is stored; 0 for what is none, such as a text that something else wrote.
local function count_of(text)
  local count = tonumber(text or 0)
  return count and count >= 0 and count <= 9007199254740991 and math.floor(count) or 0
end

-- A running total kept in \`meta\`. Read before the first write, set after it: HINCRBY could fail halfway.
local function total(meta_key, field)
  return count_of(redis.call("HGET", meta_key, field))
end
-- purge: \`dead\` -> gone, for good.
--
-- Reply, one integer an id: 1 purged; 0: it is not among the dead. A repeat changes nothing.
-- uses: total
local dead_key = KEYS[1]
local jobs_key = KEYS[2]
local attempts_key = KEYS[3]
local errors_key = KEYS[4]
local meta_key = KEYS[5]
local list, list_from = ARGV, 1 -- each: id

local purged = total(meta_key, "purged")
redis.call("HLEN", jobs_key) -- checks the types: nothing may fail after the first write
redis.call("HLEN", attempts_key)
redis.call("HLEN", errors_key)

local reply, ids, seen = {}, {}, {}
for index, died in ipairs(redis.call("ZMSCORE", dead_key, unpack(list, list_from))) do
  local id = list[list_from + index - 1]
  reply[index] = 0
  if died and not seen[id] then
    ids[#ids + 1], seen[id] = id, true
    reply[index] = 1
  end
end

if #ids > 0 then
  redis.call("ZREM", dead_key, unpack(ids))
  redis.call("HDEL", jobs_key, unpack(ids))
  redis.call("HDEL", attempts_key, unpack(ids))
  redis.call("HDEL", errors_key, unpack(ids))
  redis.call("HSET", meta_key, "purged", purged + #ids)
end
return reply`,
} as const satisfies ScriptDefinition;

export const reap = {
  name: "reap",
  sha1: "41812cbaf831049ce67e28b38b3d2b612b1e1de3",
  keys: ["delayed", "processing", "dead", "jobs", "attempts", "errors", "waiting", "meta"],
  args: ["maxJobs", "wakeChannel"],
  listFields: ["delayMs"],
  source: `-- holdfast: reap
-- Redis's clock in whole milliseconds. Called once a script: on Redis 7.0 TIME moves while a script runs.
-- Returns the microseconds as well.
local function now_ms()
  local time = redis.call("TIME")
  return time[1] * 1000 + math.floor(time[2] / 1000), time[1] * 1000000 + time[2]
end
-- A number that Redis can add to its clock. Checked before the first write, for ZADD would fail after it.
local function milliseconds(text)
  local number = tonumber(text)
  assert(number and number >= 0 and number <= 9007199254740991, "not a number of milliseconds")
  return number
end
-- A lease is the member \`<id>:<token>\` of \`processing\`. Ids may hold colons, tokens are digits.
local function suffix_of(token)
  return ":" .. string.format("%.0f", token)
end

local function lease_of(id, token)
  return id .. suffix_of(token)
end

local function split_lease(lease)
  return string.match(lease, "^(.*):(%d+)$")
end

-- Which of the listed leases (each an id and a token) are in force: the lease, or false. A lease
-- named twice in one call is held by its first mention only: to settle it is to let it go.
local function held_leases(processing_key, list, first, stride)
  local leases, seen, count = {}, {}, 0
  for at = first, #list, stride do
    count = count + 1
    leases[count] = list[at] .. ":" .. list[at + 1]
  end
  local deadlines = redis.call("ZMSCORE", processing_key, unpack(leases))
  for index = 1, count do
    local lease = leases[index]
    leases[index] = deadlines[index] and not seen[lease] and lease
    seen[lease] = true
  end
  return leases
end
-- An entry of \`errors\`: the text of a job's last failure, and how its last delivery ended. That was this
-- failure, unless a mark of one byte in front says otherwise. A mark takes the place of the one before.
local lease_expired = "lease expired: its worker stopped extending it"
local released_mark, redriven_mark, failed_mark = "\\1", "\\2", "\\3"

local function has_mark(entry)
  return string.find(entry, "^[\\1-\\3]") ~= nil
end

-- Empty where the job never failed.
local function text_of(entry)
  return entry and (has_mark(entry) and string.sub(entry, 2) or entry) or ""
end

-- A text that begins with a mark's byte, or is that of a lost lease, gets a mark of its own: it may be anybody's.
local function entry_of(text, is_release)
  local would_mislead = has_mark(text) or text == lease_expired
  return (is_release and released_mark or would_mislead and failed_mark or "") .. text
end

local function entry_of_lost_lease()
  return lease_expired
end

-- A release in between counts for nothing, a failure without a text does.
local function is_of_lost_lease(entry)
  return entry == lease_expired or entry == released_mark .. lease_expired
end

local function entry_of_redrive()
  return redriven_mark
end

-- The entries of these ids for HSET, and ids for HDEL. Where a text is empty, the last failure stands. A read of
-- the key, so that its type is checked.
local function entries_after(errors_key, ids, texts, releases)
  local entries, forgotten = {}, {}
  for index, entry in ipairs(#ids > 0 and redis.call("HMGET", errors_key, unpack(ids)) or {}) do
    local id, text = ids[index], texts[index]
    local next_entry = entry_of(text == "" and text_of(entry) or text, releases[index])
    if next_entry == "" then
      forgotten[#forgotten + 1] = id
    else
      entries[#entries + 1], entries[#entries + 2] = id, next_entry
    end
  end
  return entries, forgotten
end

-- Why a job is delivered again: by how its last delivery ended. Nil where there was none.
local function redelivery_reason(entry, attempts)
  if not entry then
    return attempts > 0 and "retry" or nil
  end
  local mark = string.sub(entry, 1, 1)
  return mark == released_mark and "released"
    or mark == redriven_mark and "redrive"
    or entry == lease_expired and "lease_expired"
    or "retry"
end
-- A count as it is stored; 0 for what is none, such as a text that something else wrote.
local function count_of(text)
  local count = tonumber(text or 0)
  return count and count >= 0 and count <= 9007199254740991 and math.floor(count) or 0
end

-- A running total kept in \`meta\`. Read before the first write, set after it: HINCRBY could fail halfway.
local function total(meta_key, field)
  return count_of(redis.call("HGET", meta_key, field))
end
-- \`waiting\` says when each waiting worker looks next. An entry more than 100 ms past belongs to a
-- stalled worker and counts for nothing. Whoever wakes drops it.
local function earliest_look(waiting_key, now)
  local entry = redis.call("ZRANGE", waiting_key, now - 100, "+inf", "BYSCORE", "LIMIT", 0, 1, "WITHSCORES")
  return entry[1], tonumber(entry[2])
end

-- Makes one waiting worker look now, unless somebody looks by \`due\` anyway. A worker whose channel has
-- no receiver is gone: it is dropped and the next one is tried, three at most. A wake-up is a hint, so
-- a server that refuses SPUBLISH must not fail the script: hence pcall.
local function wake_for(waiting_key, meta_key, wake_channel, now, due)
  if wake_channel == "" then
    return
  end
  for _ = 1, 3 do
    local worker_id, look = earliest_look(waiting_key, now)
    if not worker_id or look <= math.max(due, now) or redis.call("HGET", meta_key, "paused") then
      return
    end
    redis.call("ZREMRANGEBYSCORE", waiting_key, "-inf", now - 101)
    local receivers = redis.pcall("SPUBLISH", wake_channel .. worker_id, "")
    if type(receivers) == "number" and receivers > 0 then
      redis.call("ZADD", waiting_key, now, worker_id)
      return
    end
    redis.call("ZREM", waiting_key, worker_id)
  end
end
-- reap: expired leases -> \`delayed\`, oldest first, at most max_jobs. Counts an attempt for each.
-- The job is due at once, unless its attempt before ended in an expired lease as well: then it may be
-- the job that takes its workers down, and waits its backoff.
--
-- Reply: ms until the next lease ends (0: more have ended already, -1: there is none), then two values
--   a job: id, counted attempts. A repeat finds those leases gone.
-- uses: time, number, lease, last-error, total, wake
local delayed_key = KEYS[1]
local processing_key = KEYS[2]
local dead_key = KEYS[3]
local jobs_key = KEYS[4]
local attempts_key = KEYS[5]
local errors_key = KEYS[6]
local waiting_key = KEYS[7]
local meta_key = KEYS[8]
local max_jobs = tonumber(ARGV[1])
local wake_channel = ARGV[2]
local list, list_from = ARGV, 3 -- each: delay_ms (by counted attempts; the last serves for all above)

local now = now_ms()
local expired = redis.call("ZRANGE", processing_key, "-inf", now, "BYSCORE", "LIMIT", 0, max_jobs)
local next_end = tonumber(redis.call("ZRANGE", processing_key, #expired, #expired, "WITHSCORES")[2])
local reply = { next_end and math.max(0, next_end - now) or -1 }
if #expired == 0 then
  return reply
end
local expired_total = total(meta_key, "expired")
redis.call("ZCARD", waiting_key) -- checks the type: nothing may fail after the first write
local ids, scores, attempts, errors = {}, {}, {}, {}
local named = {}
for _, lease in ipairs(expired) do
  named[#named + 1] = split_lease(lease)
end
local delayed = #named > 0 and redis.call("ZMSCORE", delayed_key, unpack(named))
local dead = #named > 0 and redis.call("ZMSCORE", dead_key, unpack(named))
for index, id in ipairs(named) do
  -- A lease without a job only goes, and so does one whose job is elsewhere, as a crash may leave it (decision 0012).
  if not delayed[index] and not dead[index] and redis.call("HEXISTS", jobs_key, id) == 1 then
    ids[#ids + 1] = id
  end
end
local counts = #ids > 0 and redis.call("HMGET", attempts_key, unpack(ids))
local last_errors = #ids > 0 and redis.call("HMGET", errors_key, unpack(ids))
local earliest_due = math.huge
for index, id in ipairs(ids) do
  local count = count_of(counts[index]) + 1
  local is_second_in_a_row = is_of_lost_lease(last_errors[index])
  local due = now + (is_second_in_a_row and milliseconds(list[math.min(list_from + count - 1, #list)]) or 0)
  earliest_due = math.min(earliest_due, due)
  scores[#scores + 1], scores[#scores + 2] = due, id
  attempts[#attempts + 1], attempts[#attempts + 2] = id, count
  errors[#errors + 1], errors[#errors + 2] = id, entry_of_lost_lease()
  reply[#reply + 1], reply[#reply + 2] = id, count
end

redis.call("ZREM", processing_key, "") -- removes nothing: a full Redis refuses a script whose first write adds
if #ids > 0 then
  redis.call("HSET", attempts_key, unpack(attempts))
  redis.call("HSET", errors_key, unpack(errors))
  redis.call("ZADD", delayed_key, unpack(scores))
  redis.call("HSET", meta_key, "expired", expired_total + #ids)
  wake_for(waiting_key, meta_key, wake_channel, now, earliest_due)
end
redis.call("ZREM", processing_key, unpack(expired))
return reply`,
} as const satisfies ScriptDefinition;

export const redrive = {
  name: "redrive",
  sha1: "1ec65ce1385edcf2f317ad084bff5332556c1bb0",
  keys: ["delayed", "dead", "jobs", "attempts", "errors", "waiting", "meta"],
  args: ["wakeChannel"],
  listFields: ["id"],
  source: `-- holdfast: redrive
-- Redis's clock in whole milliseconds. Called once a script: on Redis 7.0 TIME moves while a script runs.
-- Returns the microseconds as well.
local function now_ms()
  local time = redis.call("TIME")
  return time[1] * 1000 + math.floor(time[2] / 1000), time[1] * 1000000 + time[2]
end
-- An entry of \`errors\`: the text of a job's last failure, and how its last delivery ended. That was this
-- failure, unless a mark of one byte in front says otherwise. A mark takes the place of the one before.
local lease_expired = "lease expired: its worker stopped extending it"
local released_mark, redriven_mark, failed_mark = "\\1", "\\2", "\\3"

local function has_mark(entry)
  return string.find(entry, "^[\\1-\\3]") ~= nil
end

-- Empty where the job never failed.
local function text_of(entry)
  return entry and (has_mark(entry) and string.sub(entry, 2) or entry) or ""
end

-- A text that begins with a mark's byte, or is that of a lost lease, gets a mark of its own: it may be anybody's.
local function entry_of(text, is_release)
  local would_mislead = has_mark(text) or text == lease_expired
  return (is_release and released_mark or would_mislead and failed_mark or "") .. text
end

local function entry_of_lost_lease()
  return lease_expired
end

-- A release in between counts for nothing, a failure without a text does.
local function is_of_lost_lease(entry)
  return entry == lease_expired or entry == released_mark .. lease_expired
end

local function entry_of_redrive()
  return redriven_mark
end

-- The entries of these ids for HSET, and ids for HDEL. Where a text is empty, the last failure stands. A read of
-- the key, so that its type is checked.
local function entries_after(errors_key, ids, texts, releases)
  local entries, forgotten = {}, {}
  for index, entry in ipairs(#ids > 0 and redis.call("HMGET", errors_key, unpack(ids)) or {}) do
    local id, text = ids[index], texts[index]
    local next_entry = entry_of(text == "" and text_of(entry) or text, releases[index])
    if next_entry == "" then
      forgotten[#forgotten + 1] = id
    else
      entries[#entries + 1], entries[#entries + 2] = id, next_entry
    end
  end
  return entries, forgotten
end

-- Why a job is delivered again: by how its last delivery ended. Nil where there was none.
local function redelivery_reason(entry, attempts)
  if not entry then
    return attempts > 0 and "retry" or nil
  end
  local mark = string.sub(entry, 1, 1)
  return mark == released_mark and "released"
    or mark == redriven_mark and "redrive"
    or entry == lease_expired and "lease_expired"
    or "retry"
end
-- A count as it is stored; 0 for what is none, such as a text that something else wrote.
local function count_of(text)
  local count = tonumber(text or 0)
  return count and count >= 0 and count <= 9007199254740991 and math.floor(count) or 0
end

-- A running total kept in \`meta\`. Read before the first write, set after it: HINCRBY could fail halfway.
local function total(meta_key, field)
  return count_of(redis.call("HGET", meta_key, field))
end
-- \`waiting\` says when each waiting worker looks next. An entry more than 100 ms past belongs to a
-- stalled worker and counts for nothing. Whoever wakes drops it.
local function earliest_look(waiting_key, now)
  local entry = redis.call("ZRANGE", waiting_key, now - 100, "+inf", "BYSCORE", "LIMIT", 0, 1, "WITHSCORES")
  return entry[1], tonumber(entry[2])
end

-- Makes one waiting worker look now, unless somebody looks by \`due\` anyway. A worker whose channel has
-- no receiver is gone: it is dropped and the next one is tried, three at most. A wake-up is a hint, so
-- a server that refuses SPUBLISH must not fail the script: hence pcall.
local function wake_for(waiting_key, meta_key, wake_channel, now, due)
  if wake_channel == "" then
    return
  end
  for _ = 1, 3 do
    local worker_id, look = earliest_look(waiting_key, now)
    if not worker_id or look <= math.max(due, now) or redis.call("HGET", meta_key, "paused") then
      return
    end
    redis.call("ZREMRANGEBYSCORE", waiting_key, "-inf", now - 101)
    local receivers = redis.pcall("SPUBLISH", wake_channel .. worker_id, "")
    if type(receivers) == "number" and receivers > 0 then
      redis.call("ZADD", waiting_key, now, worker_id)
      return
    end
    redis.call("ZREM", waiting_key, worker_id)
  end
end
-- redrive: \`dead\` -> \`delayed\`, due now, with attempts back to 0 and the last error forgotten.
--
-- Reply, one integer an id: 1 redriven; 0: it is not among the dead. A repeat changes nothing.
-- uses: time, last-error, total, wake
local delayed_key = KEYS[1]
local dead_key = KEYS[2]
local jobs_key = KEYS[3]
local attempts_key = KEYS[4]
local errors_key = KEYS[5]
local waiting_key = KEYS[6]
local meta_key = KEYS[7]
local wake_channel = ARGV[1]
local list, list_from = ARGV, 2 -- each: id

local now = now_ms()
local redriven = total(meta_key, "redriven")
redis.call("ZCARD", delayed_key) -- checks the types: nothing may fail after the first write
redis.call("ZCARD", waiting_key)
redis.call("HLEN", errors_key)
redis.call("HLEN", attempts_key)

local reply, ids, scores, marks, seen = {}, {}, {}, {}, {}
for index, died in ipairs(redis.call("ZMSCORE", dead_key, unpack(list, list_from))) do
  local id = list[list_from + index - 1]
  reply[index] = 0
  if died and not seen[id] then
    ids[#ids + 1], seen[id] = id, true
    if redis.call("HEXISTS", jobs_key, id) == 1 then
      reply[index] = 1
      scores[#scores + 1], scores[#scores + 2] = now, id
      marks[#marks + 1], marks[#marks + 2] = id, entry_of_redrive()
    end
  end
end

if #ids > 0 then
  redis.call("ZREM", dead_key, "") -- removes nothing: a full Redis refuses a script whose first write adds
  redis.call("HDEL", attempts_key, unpack(ids))
  redis.call("HDEL", errors_key, unpack(ids))
  if #scores > 0 then
    redis.call("HSET", errors_key, unpack(marks))
    redis.call("ZADD", delayed_key, unpack(scores))
    redis.call("HSET", meta_key, "redriven", redriven + #scores / 2)
    wake_for(waiting_key, meta_key, wake_channel, now, now)
  end
  redis.call("ZREM", dead_key, unpack(ids))
end
return reply`,
} as const satisfies ScriptDefinition;

export const reschedule = {
  name: "reschedule",
  sha1: "78d359f20f6ccc370d9bac4a6857b54555d0291e",
  keys: ["delayed", "dead", "jobs", "waiting", "meta"],
  args: ["wakeChannel", "id", "dueText"],
  listFields: [],
  source: `-- holdfast: reschedule
-- Redis's clock in whole milliseconds. Called once a script: on Redis 7.0 TIME moves while a script runs.
-- Returns the microseconds as well.
local function now_ms()
  local time = redis.call("TIME")
  return time[1] * 1000 + math.floor(time[2] / 1000), time[1] * 1000000 + time[2]
end
-- A number that Redis can add to its clock. Checked before the first write, for ZADD would fail after it.
local function milliseconds(text)
  local number = tonumber(text)
  assert(number and number >= 0 and number <= 9007199254740991, "not a number of milliseconds")
  return number
end
-- Where a job is that is not in \`delayed\`: "dead", "processing", or "gone" when there is no such job.
local function place_beside_delayed(jobs_key, dead_key, id)
  if redis.call("HEXISTS", jobs_key, id) == 0 then
    return "gone"
  end
  return redis.call("ZSCORE", dead_key, id) and "dead" or "processing"
end
-- \`waiting\` says when each waiting worker looks next. An entry more than 100 ms past belongs to a
-- stalled worker and counts for nothing. Whoever wakes drops it.
local function earliest_look(waiting_key, now)
  local entry = redis.call("ZRANGE", waiting_key, now - 100, "+inf", "BYSCORE", "LIMIT", 0, 1, "WITHSCORES")
  return entry[1], tonumber(entry[2])
end

-- Makes one waiting worker look now, unless somebody looks by \`due\` anyway. A worker whose channel has
-- no receiver is gone: it is dropped and the next one is tried, three at most. A wake-up is a hint, so
-- a server that refuses SPUBLISH must not fail the script: hence pcall.
local function wake_for(waiting_key, meta_key, wake_channel, now, due)
  if wake_channel == "" then
    return
  end
  for _ = 1, 3 do
    local worker_id, look = earliest_look(waiting_key, now)
    if not worker_id or look <= math.max(due, now) or redis.call("HGET", meta_key, "paused") then
      return
    end
    redis.call("ZREMRANGEBYSCORE", waiting_key, "-inf", now - 101)
    local receivers = redis.pcall("SPUBLISH", wake_channel .. worker_id, "")
    if type(receivers) == "number" and receivers > 0 then
      redis.call("ZADD", waiting_key, now, worker_id)
      return
    end
    redis.call("ZREM", waiting_key, worker_id)
  end
end
-- reschedule: a new due time for a job in \`delayed\`. A job that is held or dead is left as it is.
--
-- Reply: { "rescheduled", due time in ms }, or { where the job is instead, -1 }: "processing", "dead", "gone".
-- A repeat counts a \`+<ms>\` from its own time and changes nothing else.
-- uses: time, number, place, wake
local delayed_key = KEYS[1]
local dead_key = KEYS[2]
local jobs_key = KEYS[3]
local waiting_key = KEYS[4]
local meta_key = KEYS[5]
local wake_channel = ARGV[1]
local id = ARGV[2]
local due_text = ARGV[3] -- \`+<ms>\` from now, or \`<ms>\` since 1970

if not redis.call("ZSCORE", delayed_key, id) then
  return { place_beside_delayed(jobs_key, dead_key, id), -1 }
end
local now = now_ms()
local due = milliseconds(due_text)
if string.byte(due_text) == 43 then -- a plus sign
  due = now + due
end
redis.call("ZCARD", waiting_key) -- checks the types: nothing may fail after the first write
redis.call("HLEN", meta_key)

redis.call("ZREM", delayed_key, "") -- removes nothing: a full Redis refuses a script whose first write adds
redis.call("ZADD", delayed_key, due, id)
wake_for(waiting_key, meta_key, wake_channel, now, due)
return { "rescheduled", due }`,
} as const satisfies ScriptDefinition;

export const reshard = {
  name: "reshard",
  sha1: "9ddb434a4004c86eb528d5c407f71da85f243d50",
  keys: ["jobs", "meta"],
  args: ["note", "from"],
  listFields: [],
  source: `-- holdfast: reshard
-- reshard: replaces what is noted in one shard about the number of shards, unless something else is noted
-- than the caller found, or jobs lie here, which would no longer be found.
--
-- A note is a number, or the mark of a change that is under way: then \`enqueue\` stores nothing here.
--
-- Reply: 1 noted; 0 refused. A repeat changes nothing.
local jobs_key = KEYS[1]
local meta_key = KEYS[2]
local note = ARGV[1]
local from = ARGV[2] -- 0: nothing is noted yet

local noted = redis.call("HGET", meta_key, "shards") or "0"
if noted ~= note and (noted ~= from or redis.call("HLEN", jobs_key) > 0) then
  return 0
end
redis.call("HDEL", meta_key, "shards") -- a removal first: a full Redis would refuse HSET
redis.call("HSET", meta_key, "shards", note)
return 1`,
} as const satisfies ScriptDefinition;

export const resume = {
  name: "resume",
  sha1: "f6f547b0ba18ee1f759b9c686d5b5737c34468a0",
  keys: ["delayed", "waiting", "meta"],
  args: ["wakeChannel"],
  listFields: [],
  source: `-- holdfast: resume
-- Redis's clock in whole milliseconds. Called once a script: on Redis 7.0 TIME moves while a script runs.
-- Returns the microseconds as well.
local function now_ms()
  local time = redis.call("TIME")
  return time[1] * 1000 + math.floor(time[2] / 1000), time[1] * 1000000 + time[2]
end
-- \`waiting\` says when each waiting worker looks next. An entry more than 100 ms past belongs to a
-- stalled worker and counts for nothing. Whoever wakes drops it.
local function earliest_look(waiting_key, now)
  local entry = redis.call("ZRANGE", waiting_key, now - 100, "+inf", "BYSCORE", "LIMIT", 0, 1, "WITHSCORES")
  return entry[1], tonumber(entry[2])
end

-- Makes one waiting worker look now, unless somebody looks by \`due\` anyway. A worker whose channel has
-- no receiver is gone: it is dropped and the next one is tried, three at most. A wake-up is a hint, so
-- a server that refuses SPUBLISH must not fail the script: hence pcall.
local function wake_for(waiting_key, meta_key, wake_channel, now, due)
  if wake_channel == "" then
    return
  end
  for _ = 1, 3 do
    local worker_id, look = earliest_look(waiting_key, now)
    if not worker_id or look <= math.max(due, now) or redis.call("HGET", meta_key, "paused") then
      return
    end
    redis.call("ZREMRANGEBYSCORE", waiting_key, "-inf", now - 101)
    local receivers = redis.pcall("SPUBLISH", wake_channel .. worker_id, "")
    if type(receivers) == "number" and receivers > 0 then
      redis.call("ZADD", waiting_key, now, worker_id)
      return
    end
    redis.call("ZREM", waiting_key, worker_id)
  end
end
-- resume: ends a pause, and sees to it that somebody looks at the head of \`delayed\` in time.
--
-- Reply: 1. A repeat changes nothing.
-- uses: time, wake
local delayed_key = KEYS[1]
local waiting_key = KEYS[2]
local meta_key = KEYS[3]
local wake_channel = ARGV[1]

local now = now_ms()
local head_due = tonumber(redis.call("ZRANGE", delayed_key, 0, 0, "WITHSCORES")[2])
redis.call("ZCARD", waiting_key) -- checks the type: nothing may fail after the first write

redis.call("HDEL", meta_key, "paused")
if head_due then
  wake_for(waiting_key, meta_key, wake_channel, now, head_due)
end
return 1`,
} as const satisfies ScriptDefinition;

export const stats = {
  name: "stats",
  sha1: "46511f6db5a2ee1bfc221dce82a3c46546dbb4a8",
  keys: ["delayed", "processing", "dead", "waiting", "meta"],
  args: [],
  listFields: [],
  source: `-- holdfast: stats
-- Redis's clock in whole milliseconds. Called once a script: on Redis 7.0 TIME moves while a script runs.
-- Returns the microseconds as well.
local function now_ms()
  local time = redis.call("TIME")
  return time[1] * 1000 + math.floor(time[2] / 1000), time[1] * 1000000 + time[2]
end
-- stats: counts of the queue. Read only.
--
-- Reply, integers: delayed (not yet due), due, processing, dead, age of the oldest due job in ms (-1:
--   none), paused (1 or 0), waiting workers; then the running totals: enqueued, completed, retried,
--   expired, buried, redriven, cancelled, purged.
-- uses: time
local delayed_key = KEYS[1]
local processing_key = KEYS[2]
local dead_key = KEYS[3]
local waiting_key = KEYS[4]
local meta_key = KEYS[5]

local now = now_ms()
local due = redis.call("ZCOUNT", delayed_key, "-inf", now)
local head_due = tonumber(redis.call("ZRANGE", delayed_key, 0, 0, "WITHSCORES")[2])
local fields = { "paused", "enqueued", "completed", "retried", "expired", "buried", "redriven", "cancelled", "purged" }
local meta = redis.call("HMGET", meta_key, unpack(fields))
local reply = {
  redis.call("ZCARD", delayed_key) - due,
  due,
  redis.call("ZCARD", processing_key),
  redis.call("ZCARD", dead_key),
  head_due and head_due <= now and now - head_due or -1,
  meta[1] and 1 or 0,
  redis.call("ZCOUNT", waiting_key, now - 100, "+inf"),
}
for at = 2, #fields do
  reply[#reply + 1] = tonumber(meta[at] or 0) or 0
end
return reply`,
} as const satisfies ScriptDefinition;

export const verify = {
  name: "verify",
  sha1: "ec7506d1ad7bf870e5a70979d586722e73abbf30",
  keys: ["delayed", "processing", "dead", "jobs", "attempts", "errors", "meta"],
  args: ["part", "cursor", "pageSize"],
  listFields: [],
  source: `-- holdfast: verify
-- A lease is the member \`<id>:<token>\` of \`processing\`. Ids may hold colons, tokens are digits.
local function suffix_of(token)
  return ":" .. string.format("%.0f", token)
end

local function lease_of(id, token)
  return id .. suffix_of(token)
end

local function split_lease(lease)
  return string.match(lease, "^(.*):(%d+)$")
end

-- Which of the listed leases (each an id and a token) are in force: the lease, or false. A lease
-- named twice in one call is held by its first mention only: to settle it is to let it go.
local function held_leases(processing_key, list, first, stride)
  local leases, seen, count = {}, {}, 0
  for at = first, #list, stride do
    count = count + 1
    leases[count] = list[at] .. ":" .. list[at + 1]
  end
  local deadlines = redis.call("ZMSCORE", processing_key, unpack(leases))
  for index = 1, count do
    local lease = leases[index]
    leases[index] = deadlines[index] and not seen[lease] and lease
    seen[lease] = true
  end
  return leases
end
-- Whether a stored value is a count that scripts can add to: digits alone, within 2^53.
local function is_count(value)
  return string.find(value, "^%d+$") ~= nil and tonumber(value) <= 9007199254740992
end
-- verify: one page of the audit of the invariant: each id in \`jobs\` is in exactly one of \`delayed\`,
-- \`processing\`, \`dead\`, and no other part names an id that \`jobs\` lacks. Read only.
--
-- Reply: next cursor, entries looked at, bytes read, token counter; then two values a finding: kind, name.
--   "leased"   a lease in \`processing\`; each of them is named, so that the caller can tell
--   "unplaced" an id in \`jobs\` that is in neither \`delayed\` nor \`dead\`: to be found among the leased
--   "suspect"  an id with a breach, as far as this page can see; \`mend\` looks at it as a whole
-- The token counter ("none" before the first claim) changes with each claim that takes a job.
-- uses: lease, count
local delayed_key = KEYS[1]
local processing_key = KEYS[2]
local dead_key = KEYS[3]
local jobs_key = KEYS[4]
local attempts_key = KEYS[5]
local errors_key = KEYS[6]
local meta_key = KEYS[7]
local part = ARGV[1]
local cursor = ARGV[2]
local page_size = ARGV[3]

local reply = { "0", 0, 0, redis.call("HGET", meta_key, "token") or "none" }
local function find(kind, name)
  reply[#reply + 1], reply[#reply + 2] = kind, name
end
local function is_job(id)
  return redis.call("HEXISTS", jobs_key, id) == 1
end
local checks = {
  jobs = function(id)
    local delayed, dead = redis.call("ZSCORE", delayed_key, id), redis.call("ZSCORE", dead_key, id)
    if delayed and dead then
      find("suspect", id)
    elseif not delayed and not dead then
      find("unplaced", id)
    end
  end,
  processing = function(lease)
    local id = split_lease(lease)
    if not id then
      find("suspect", lease)
      return
    end
    find("leased", lease)
    if not is_job(id) or redis.call("ZSCORE", delayed_key, id) or redis.call("ZSCORE", dead_key, id) then
      find("suspect", id)
    end
  end,
  attempts = function(id, value)
    if not is_job(id) or not is_count(value) then
      find("suspect", id)
    end
  end,
}
local function names_a_job(id)
  if not is_job(id) then
    find("suspect", id)
  end
end
local scans = {
  jobs = { "HSCAN", jobs_key },
  processing = { "ZSCAN", processing_key },
  delayed = { "ZSCAN", delayed_key },
  dead = { "ZSCAN", dead_key },
  attempts = { "HSCAN", attempts_key },
  errors = { "HSCAN", errors_key },
}
local page = redis.call(scans[part][1], scans[part][2], cursor, "COUNT", page_size)
local check = checks[part] or names_a_job
local bytes = 0
for at = 1, #page[2], 2 do
  check(page[2][at], page[2][at + 1])
  bytes = bytes + #page[2][at] + #page[2][at + 1]
end
reply[1], reply[2], reply[3] = page[1], #page[2] / 2, bytes
return reply`,
} as const satisfies ScriptDefinition;
