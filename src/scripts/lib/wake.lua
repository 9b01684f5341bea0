-- `waiting` says when each waiting worker looks next. An entry more than 100 ms past belongs to a
-- stalled worker and counts for nothing. Whoever wakes drops it.
local function earliest_look(waiting_key, now)
  local entry = redis.call("ZRANGE", waiting_key, now - 100, "+inf", "BYSCORE", "LIMIT", 0, 1, "WITHSCORES")
  return entry[1], tonumber(entry[2])
end

-- Makes one waiting worker look now, unless somebody looks by `due` anyway. A worker whose channel has
-- no receiver is gone: it is dropped and the next one is tried, three at most. A wake-up is a hint, so
-- a server that refuses SPUBLISH must not fail the script: hence pcall.
local function wake_for(waiting_key, meta_key, wake_channel, now, due)
  if wake_channel == "" then
    return
  end
  for _ = 1, 3 do
    local worker_id, look = earliest_look(waiting_key, now)
    if not worker_id or look <= math.max(due, now) or redis.call("HGET", meta_key, "paused") then
      return
    end
    redis.call("ZREMRANGEBYSCORE", waiting_key, "-inf", now - 101)
    local receivers = redis.pcall("SPUBLISH", wake_channel .. worker_id, "")
    if type(receivers) == "number" and receivers > 0 then
      redis.call("ZADD", waiting_key, now, worker_id)
      return
    end
    redis.call("ZREM", waiting_key, worker_id)
  end
end
