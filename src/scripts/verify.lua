-- verify: one page of the audit of the invariant: each id in `jobs` is in exactly one of `delayed`,
-- `processing`, `dead`, and no other part names an id that `jobs` lacks. Read only.
--
-- Reply: next cursor, entries looked at, bytes read, token counter; then two values a finding: kind, name.
--   "leased"   a lease in `processing`; each of them is named, so that the caller can tell
--   "unplaced" an id in `jobs` that is in neither `delayed` nor `dead`: to be found among the leased
--   "suspect"  an id with a breach, as far as this page can see; `mend` looks at it as a whole
-- The token counter ("none" before the first claim) changes with each claim that takes a job.
-- uses: lease, count
local delayed_key = KEYS[1]
local processing_key = KEYS[2]
local dead_key = KEYS[3]
local jobs_key = KEYS[4]
local attempts_key = KEYS[5]
local errors_key = KEYS[6]
local meta_key = KEYS[7]
local part = ARGV[1]
local cursor = ARGV[2]
local page_size = ARGV[3]

local reply = { "0", 0, 0, redis.call("HGET", meta_key, "token") or "none" }
local function find(kind, name)
  reply[#reply + 1], reply[#reply + 2] = kind, name
end
local function is_job(id)
  return redis.call("HEXISTS", jobs_key, id) == 1
end
local checks = {
  jobs = function(id)
    local delayed, dead = redis.call("ZSCORE", delayed_key, id), redis.call("ZSCORE", dead_key, id)
    if delayed and dead then
      find("suspect", id)
    elseif not delayed and not dead then
      find("unplaced", id)
    end
  end,
  processing = function(lease)
    local id = split_lease(lease)
    if not id then
      find("suspect", lease)
      return
    end
    find("leased", lease)
    if not is_job(id) or redis.call("ZSCORE", delayed_key, id) or redis.call("ZSCORE", dead_key, id) then
      find("suspect", id)
    end
  end,
  attempts = function(id, value)
    if not is_job(id) or not is_count(value) then
      find("suspect", id)
    end
  end,
}
local function names_a_job(id)
  if not is_job(id) then
    find("suspect", id)
  end
end
local scans = {
  jobs = { "HSCAN", jobs_key },
  processing = { "ZSCAN", processing_key },
  delayed = { "ZSCAN", delayed_key },
  dead = { "ZSCAN", dead_key },
  attempts = { "HSCAN", attempts_key },
  errors = { "HSCAN", errors_key },
}
local page = redis.call(scans[part][1], scans[part][2], cursor, "COUNT", page_size)
local check = checks[part] or names_a_job
local bytes = 0
for at = 1, #page[2], 2 do
  check(page[2][at], page[2][at + 1])
  bytes = bytes + #page[2][at] + #page[2][at + 1]
end
reply[1], reply[2], reply[3] = page[1], #page[2] / 2, bytes
return reply
