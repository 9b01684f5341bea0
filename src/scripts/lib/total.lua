-- A count as it is stored; 0 for what is none, such as a text that something else wrote.
local function count_of(text)
  local count = tonumber(text or 0)
  return count and count >= 0 and count <= 9007199254740991 and math.floor(count) or 0
end

-- A running total kept in `meta`. Read before the first write, set after it: HINCRBY could fail halfway.
local function total(meta_key, field)
  return count_of(redis.call("HGET", meta_key, field))
end
