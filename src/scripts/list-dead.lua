-- list-dead: a page of `dead`, oldest first, after a given entry. Read only.
--
-- Reply, two values a job: id, time of death in ms.
-- An entry that was redriven or purged meanwhile is found again by its time: others that died in the
-- same millisecond may then be listed twice, none is left out.
local dead_key = KEYS[1]
local max_jobs = tonumber(ARGV[1])
local after_id = ARGV[2] -- empty for the first page
local after_ms = ARGV[3]
local until_ms = ARGV[4] -- jobs that died later are left out

local start = 0
if after_id ~= "" then
  local rank = redis.call("ZRANK", dead_key, after_id)
  start = rank and rank + 1 or redis.call("ZCOUNT", dead_key, "-inf", "(" .. after_ms)
end
local page = redis.call("ZRANGE", dead_key, start, start + max_jobs - 1, "WITHSCORES")
local reply = {}
for at = 1, #page, 2 do
  local died = tonumber(page[at + 1])
  if died <= tonumber(until_ms) then
    reply[#reply + 1], reply[#reply + 2] = page[at], died
  end
end
return reply
