-- mend-queue: looks at what the queue keeps besides its jobs, and puts it right if asked to. No key may
-- have a time to live. The running totals and the token counter in `meta` must be whole numbers, and
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
return wrong
