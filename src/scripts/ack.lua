-- ack: `processing` -> gone: these jobs are done.
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
return reply
