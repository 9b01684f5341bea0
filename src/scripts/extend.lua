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
return reply
