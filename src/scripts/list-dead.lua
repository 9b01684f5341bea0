-- list-dead: a page of `dead`, in the order of (time of death, id as bytes), after a given place in it,
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
return reply
