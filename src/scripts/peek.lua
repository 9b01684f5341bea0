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
return reply
