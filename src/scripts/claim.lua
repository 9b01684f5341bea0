-- claim: the due prefix of `delayed` -> `processing`, under one fresh token, at most max_jobs.
-- A worker that is left with free slots is put down in `waiting`, with the time of its next look.
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
  if envelope then -- an id without an envelope is no job: it only leaves `delayed`
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

-- What dead workers left behind goes little by little: their entries in `waiting`, and the claims of
-- those not heard of for an hour, one looked at a call, by chance.
if is_repeat then
  return reply
end
redis.call("ZREMRANGEBYSCORE", waiting_key, "-inf", now - 101)
local found = redis.call("HRANDFIELD", claims_key, 1, "WITHVALUES")
if found[1] and claimed_at(found[2]) < now - 3600000 then
  redis.call("HDEL", claims_key, found[1])
end
return reply
