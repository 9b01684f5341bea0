-- Redis's clock in whole milliseconds. Called once a script: on Redis 7.0 TIME moves while a script runs.
-- Returns the microseconds as well.
local function now_ms()
  local time = redis.call("TIME")
  return time[1] * 1000 + math.floor(time[2] / 1000), time[1] * 1000000 + time[2]
end
