-- An entry of `errors`: the text of a job's last failure, and how its last delivery ended. That was this
-- failure, unless a mark of one byte in front says otherwise. A mark takes the place of the one before.
local lease_expired = "lease expired: its worker stopped extending it"
local released_mark, redriven_mark, failed_mark = "\1", "\2", "\3"

local function has_mark(entry)
  return string.find(entry, "^[\1-\3]") ~= nil
end

-- Empty where the job never failed.
local function text_of(entry)
  return entry and (has_mark(entry) and string.sub(entry, 2) or entry) or ""
end

-- A text that begins with a mark's byte, or is that of a lost lease, gets a mark of its own: it may be anybody's.
local function entry_of(text, is_release)
  local would_mislead = has_mark(text) or text == lease_expired
  return (is_release and released_mark or would_mislead and failed_mark or "") .. text
end

local function entry_of_lost_lease()
  return lease_expired
end

-- A release in between counts for nothing, a failure without a text does.
local function is_of_lost_lease(entry)
  return entry == lease_expired or entry == released_mark .. lease_expired
end

local function entry_of_redrive()
  return redriven_mark
end

-- The entries of these ids for HSET, and ids for HDEL. Where a text is empty, the last failure stands. A read of
-- the key, so that its type is checked.
local function entries_after(errors_key, ids, texts, releases)
  local entries, forgotten = {}, {}
  for index, entry in ipairs(#ids > 0 and redis.call("HMGET", errors_key, unpack(ids)) or {}) do
    local id, text = ids[index], texts[index]
    local next_entry = entry_of(text == "" and text_of(entry) or text, releases[index])
    if next_entry == "" then
      forgotten[#forgotten + 1] = id
    else
      entries[#entries + 1], entries[#entries + 2] = id, next_entry
    end
  end
  return entries, forgotten
end

-- Why a job is delivered again: by how its last delivery ended. Nil where there was none.
local function redelivery_reason(entry, attempts)
  if not entry then
    return attempts > 0 and "retry" or nil
  end
  local mark = string.sub(entry, 1, 1)
  return mark == released_mark and "released"
    or mark == redriven_mark and "redrive"
    or entry == lease_expired and "lease_expired"
    or "retry"
end
