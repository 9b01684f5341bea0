-- A worker's entry in `claims`: when it claimed, in ms, then the claim itself, packed.
local function pack_claim(now, request, token, was_full, taken)
  return string.format("%.0f:", now) .. cmsgpack.pack({ request, token, was_full, taken })
end

-- Returns request, token, whether the worker was full, and what it took: id, due time, id, due time, ...
local function unpack_claim(entry)
  return unpack(cmsgpack.unpack(string.match(entry, "^%d+:(.*)$")))
end

-- 0 for what is no entry of ours.
local function claimed_at(entry)
  return tonumber(string.match(entry, "^(%d+):") or 0)
end
