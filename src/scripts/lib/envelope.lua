-- The envelopes of the ids, in order, false where there is none. Stops early once max_bytes are read,
-- so that neither a reply nor the memory of a script grows with the size of the payloads. The first
-- one is read alone; its size tells how many to read at a time.
local function read_envelopes(jobs_key, ids, max_bytes)
  local envelopes, bytes, largest, first = {}, 0, 1, 1
  while first <= #ids and bytes < max_bytes do
    local chunk = first == 1 and 1 or math.max(1, math.min(25, math.floor((max_bytes - bytes) / largest)))
    local last = math.min(first + chunk - 1, #ids)
    for _, envelope in ipairs(redis.call("HMGET", jobs_key, unpack(ids, first, last))) do
      if bytes < max_bytes then
        local size = envelope and #envelope or 0
        envelopes[#envelopes + 1] = envelope
        bytes, largest = bytes + size, math.max(largest, size)
      end
    end
    first = last + 1
  end
  return envelopes
end
