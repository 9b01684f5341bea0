-- reschedule: a new due time for a job in `delayed`. A job that is held or dead is left as it is.
--
-- Reply: { "rescheduled", due time in ms }, or { where the job is instead, -1 }: "processing", "dead", "gone".
-- A repeat counts a `+<ms>` from its own time and changes nothing else.
-- uses: time, number, place, wake
local delayed_key = KEYS[1]
local dead_key = KEYS[2]
local jobs_key = KEYS[3]
local waiting_key = KEYS[4]
local meta_key = KEYS[5]
local wake_channel = ARGV[1]
local id = ARGV[2]
local due_text = ARGV[3] -- `+<ms>` from now, or `<ms>` since 1970

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
return { "rescheduled", due }
