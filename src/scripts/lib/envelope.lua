-- The envelopes of the ids, in order, false where there is none. Stops early once max_bytes are read,
-- so that neither a reply nor the memory of a script grows with the size of the payloads.
local function read_envelopes(jobs_key, ids, max_bytes)
  local envelopes, bytes, chunk = {}, 0, 10
  for first = 1, #ids, chunk do
    local last = math.min(first + chunk - 1, #ids)
    for _, envelope in ipairs(redis.call("HMGET", jobs_key, unpack(ids, first, last))) do
      if bytes < max_bytes then
        envelopes[#envelopes + 1] = envelope
        bytes = bytes + (envelope and #envelope or 0)
      end
    end
    if bytes >= max_bytes then
      break
    end
  end
  return envelopes
end
