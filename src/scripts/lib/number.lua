-- A number that Redis can add to its clock. Checked before the first write, for ZADD would fail after it.
local function milliseconds(text)
  local number = tonumber(text)
  assert(number and number >= 0 and number <= 9007199254740991, "not a number of milliseconds")
  return number
end
