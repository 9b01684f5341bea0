-- ack: `processing` -> gone: these jobs are done.
--
-- Reply, one integer a job: 1 done; 0 stale: the token is no longer in force; -1 gone: no such job.
-- A repeat finds the jobs gone and changes nothing.
-- uses: lease, total
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
local held = held_leases(processing_key, list, list_from, 2)
local reply, leases, ids = {}, {}, {}
for index = 1, #held do
  local lease = held[index]
  reply[index] = lease and 1 or 0
  if lease then
    leases[#leases + 1], ids[#ids + 1] = lease, list[list_from + index * 2 - 2]
  end
end
if #leases < #held then
  local acked = {}
  for index, result in ipairs(reply) do
    local id = list[list_from + index * 2 - 2]
    if result == 1 then
      acked[id] = true
    elseif acked[id] or redis.call("HEXISTS", jobs_key, id) == 0 then
      reply[index] = -1
    end
  end
end

if #leases > 0 then
  redis.call("HDEL", jobs_key, unpack(ids))
  redis.call("ZREM", processing_key, unpack(leases))
  if has_history then
    redis.call("HDEL", attempts_key, unpack(ids))
    redis.call("HDEL", errors_key, unpack(ids))
  end
  redis.call("HSET", meta_key, "completed", completed + #ids)
end
return reply
