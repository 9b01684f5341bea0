-- A lease is the member `<id>:<token>` of `processing`. Ids may hold colons, tokens are digits.
local function suffix_of(token)
  return ":" .. string.format("%.0f", token)
end

local function lease_of(id, token)
  return id .. suffix_of(token)
end

local function split_lease(lease)
  return string.match(lease, "^(.*):(%d+)$")
end

-- Which of the listed leases (each an id and a token) are in force: the lease, or false. A lease
-- named twice in one call is held by its first mention only: to settle it is to let it go.
local function held_leases(processing_key, list, first, stride)
  local leases, seen, count = {}, {}, 0
  for at = first, #list, stride do
    count = count + 1
    leases[count] = list[at] .. ":" .. list[at + 1]
  end
  local deadlines = redis.call("ZMSCORE", processing_key, unpack(leases))
  for index = 1, count do
    local lease = leases[index]
    leases[index] = deadlines[index] and not seen[lease] and lease
    seen[lease] = true
  end
  return leases
end
