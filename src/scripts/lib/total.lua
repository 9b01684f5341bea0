-- A running total kept in `meta`. Read before the first write, set after it: HINCRBY could fail halfway.
local function total(meta_key, field)
  return tonumber(redis.call("HGET", meta_key, field) or 0) or 0
end
