-- mend: looks at ids as a whole, and mends what breaches the invariant if asked to. Nothing that has an
-- envelope is removed: an orphan becomes due now; of several places the strongest stays (the lease
-- with the highest token, then `delayed`, then `dead`).
--
-- A job in no place is an orphan only if no lease of it can have been missed: another holder beside one
-- that runs would be worse than a late job. Either `processing` is small enough to be searched here; or
-- the token counter is still the one from before the caller's scan of it, so that nothing was claimed
-- since and every lease was seen.
--
-- Reply, two strings an id: kind, and where it was found, by commas.
--   "sound"; "orphan" (a job in no place), "double" (a job in several), "dangling" (an entry without a
--   job), "malformed" (a lease without a token, a count that is none), "unknown" (in no place, but a
--   lease may have been missed). A repeat finds what it mended sound.
-- uses: time, lease, count
local delayed_key = KEYS[1]
local processing_key = KEYS[2]
local dead_key = KEYS[3]
local jobs_key = KEYS[4]
local attempts_key = KEYS[5]
local errors_key = KEYS[6]
local meta_key = KEYS[7]
local mends = ARGV[1] == "1"
local max_leases = tonumber(ARGV[2])
local scan_token = ARGV[3] -- the token counter before the caller's scan of `processing`; empty for no scan
local list, list_from = ARGV, 4 -- each: id, tokens (of its leases that the scan saw, by commas)

local now = now_ms()
local lease_count = redis.call("ZCARD", processing_key)
redis.call("HLEN", errors_key) -- checks the type: nothing may fail after the first write
local leases_of = {} -- by listed id
for at = list_from, #list, 2 do
  leases_of[list[at]] = {}
end
local function add_lease(id, lease, token)
  table.insert(leases_of[id], { lease = lease, token = tonumber(token) })
end
local sees_all = lease_count <= max_leases
if sees_all then
  for _, lease in ipairs(redis.call("ZRANGE", processing_key, 0, -1)) do
    local id, token = split_lease(lease)
    if id and leases_of[id] then
      add_lease(id, lease, token)
    end
  end
else
  sees_all = scan_token ~= "" and (redis.call("HGET", meta_key, "token") or "none") == scan_token
  local seen = {}
  for at = list_from, #list, 2 do
    for token in string.gmatch(seen[list[at]] and "" or list[at + 1], "%d+") do
      local lease = list[at] .. ":" .. token
      if redis.call("ZSCORE", processing_key, lease) then
        add_lease(list[at], lease, token)
      end
    end
    seen[list[at]] = true
  end
end

local function examine(id)
  local count = redis.call("HGET", attempts_key, id)
  local found = {
    leases = leases_of[id],
    is_delayed = redis.call("ZSCORE", delayed_key, id),
    is_dead = redis.call("ZSCORE", dead_key, id),
    has_bad_lease = not split_lease(id) and redis.call("ZSCORE", processing_key, id),
    has_bad_count = count and not is_count(count),
  }
  local where = {}
  local function note(is_there, text)
    where[#where + 1] = is_there and text or nil
  end
  table.sort(found.leases, function(a, b) return a.token > b.token end)
  for _, held in ipairs(found.leases) do
    note(true, "lease " .. string.match(held.lease, "%d+$"))
  end
  note(found.is_delayed, "delayed")
  note(found.is_dead, "dead")
  local places = #where
  note(found.has_bad_lease, "lease without a token")
  note(found.has_bad_count, "attempts that are no number")
  local is_malformed = #where > places
  if redis.call("HEXISTS", jobs_key, id) == 0 then
    note(count and not found.has_bad_count, "attempts")
    note(redis.call("HEXISTS", errors_key, id) == 1, "errors")
    found.kind = #where > 0 and "dangling" or "sound"
  elseif places == 0 then
    found.kind = sees_all and "orphan" or "unknown"
  else
    found.kind = places > 1 and "double" or is_malformed and "malformed" or "sound"
  end
  found.where = table.concat(where, ",")
  return found
end

-- Removals only, so that they come first: a full Redis would refuse ZADD as the first write.
local function remove_breach(id, found)
  local is_dangling = found.kind == "dangling"
  for _ = #found.leases, is_dangling and 1 or 2, -1 do
    redis.call("ZREM", processing_key, table.remove(found.leases).lease)
  end
  if found.has_bad_lease then
    redis.call("ZREM", processing_key, id)
  end
  if is_dangling or found.has_bad_count then
    redis.call("HDEL", attempts_key, id)
  end
  if is_dangling then
    redis.call("HDEL", errors_key, id)
  end
  if is_dangling or found.kind == "orphan" or #found.leases > 0 then
    redis.call("ZREM", delayed_key, id)
  end
  if is_dangling or found.kind == "double" then
    redis.call("ZREM", dead_key, id)
  end
end

local reply = {}
for at = list_from, #list, 2 do
  local id = list[at]
  local found = examine(id)
  reply[#reply + 1], reply[#reply + 2] = found.kind, found.where
  if mends and found.kind ~= "sound" and found.kind ~= "unknown" then
    remove_breach(id, found)
    if found.kind == "orphan" then
      redis.call("ZADD", delayed_key, now, id)
    end
  end
end
return reply
