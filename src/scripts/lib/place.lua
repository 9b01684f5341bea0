-- Where a job is that is not in `delayed`: "dead", "processing", or "gone" when there is no such job.
local function place_beside_delayed(jobs_key, dead_key, id)
  if redis.call("HEXISTS", jobs_key, id) == 0 then
    return "gone"
  end
  return redis.call("ZSCORE", dead_key, id) and "dead" or "processing"
end
