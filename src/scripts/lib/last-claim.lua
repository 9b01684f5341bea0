-- A worker's entry in `claims`: when it claimed, in ms, the number and the token of the claim, whether that
-- left the worker full, and what it took, packed: id, due time, id, due time, ...
local function pack_claim(now, request, token, was_full, taken)
  return string.format("%.0f:%.0f:%.0f:%d:", now, request, token, was_full and 1 or 0) .. cmsgpack.pack(taken)
end

-- Returns request, token, whether the worker was full, and where what it took begins: most claims need only
-- the first. Nothing for what is no entry of ours.
local function read_claim(entry)
  local request, token, was_full, packed_at = string.match(entry, "^%d+:(%d+):(%d+):([01]):()")
  return tonumber(request), tonumber(token), was_full == "1", packed_at
end

local function unpack_taken(entry, packed_at)
  return cmsgpack.unpack(string.sub(entry, packed_at))
end

-- 0 for what is no entry of ours.
local function claimed_at(entry)
  return tonumber(string.match(entry, "^(%d+):") or 0)
end
