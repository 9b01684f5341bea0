-- Whether a stored value is a count that scripts can add to: digits alone, within 2^53.
local function is_count(value)
  return string.find(value, "^%d+$") ~= nil and tonumber(value) <= 9007199254740992
end
