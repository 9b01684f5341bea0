-- mend: looks at ids as a whole, and mends what breaches the invariant if asked to. Nothing that has an
-- envelope is removed: an orphan becomes due now; of several places the strongest stays (the lease
-- with the highest token, then `delayed`, then `dead`).
--
-- Reply, one string an id: "sound", "orphan" (a job in no place), "double" (a job in several),
--   "dangling" (a place, a count or an error without a job), "unknown" (more leases than max_leases, so
--   that they cannot be searched in one step). A repeat finds what it mended sound.
-- uses: time, lease
local delayed_key = KEYS[1]
local processing_key = KEYS[2]
local dead_key = KEYS[3]
local jobs_key = KEYS[4]
local attempts_key = KEYS[5]
local errors_key = KEYS[6]
local mends = ARGV[1] == "1"
local max_leases = tonumber(ARGV[2])
local list, list_from = ARGV, 3 -- each: id

local now = now_ms()
local leases_of, searchable = {}, redis.call("ZCARD", processing_key) <= max_leases
if searchable then
  for _, lease in ipairs(redis.call("ZRANGE", processing_key, 0, -1)) do
    local id, token = split_lease(lease)
    id, token = id or lease, tonumber(token or 0)
    leases_of[id] = leases_of[id] or {}
    table.insert(leases_of[id], { lease = lease, token = token })
  end
end

local function remove_leases(id, first)
  local leases = leases_of[id] or {}
  table.sort(leases, function(a, b) return a.token > b.token end)
  for _ = first, #leases do
    redis.call("ZREM", processing_key, table.remove(leases).lease)
  end
end

local function examine(id)
  local is_job = redis.call("HEXISTS", jobs_key, id) == 1
  local delayed, dead = redis.call("ZSCORE", delayed_key, id), redis.call("ZSCORE", dead_key, id)
  local leases = #(leases_of[id] or {})
  local places = leases + (delayed and 1 or 0) + (dead and 1 or 0)
  local has_history = redis.call("HEXISTS", attempts_key, id) + redis.call("HEXISTS", errors_key, id) > 0
  if not searchable then
    return "unknown"
  end
  if not is_job then
    return (places > 0 or has_history) and "dangling" or "sound"
  end
  return places == 0 and "orphan" or places > 1 and "double" or "sound"
end

local remedies = {
  orphan = function(id)
    redis.call("ZREM", delayed_key, id) -- a removal first: a full Redis would refuse ZADD
    redis.call("ZADD", delayed_key, now, id)
  end,
  double = function(id)
    remove_leases(id, 2)
    if #(leases_of[id] or {}) > 0 then
      redis.call("ZREM", delayed_key, id)
    end
    redis.call("ZREM", dead_key, id)
  end,
  dangling = function(id)
    remove_leases(id, 1)
    redis.call("ZREM", delayed_key, id)
    redis.call("ZREM", dead_key, id)
    redis.call("HDEL", attempts_key, id)
    redis.call("HDEL", errors_key, id)
  end,
}

local reply = {}
for at = list_from, #list do
  local id = list[at]
  local kind = examine(id)
  reply[#reply + 1] = kind
  if mends and remedies[kind] then
    remedies[kind](id)
  end
end
return reply
