-- enqueue: new jobs -> `delayed`. An id that exists is left as it is.
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
local list, list_from = ARGV, 4 -- each: id, envelope, due (`+<ms>` from now, or `<ms>` since 1970)

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
return reply
