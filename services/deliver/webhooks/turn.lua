#!lua
-- Pause a subscription, disable it, or let it go on; then all that it lacks is due, with all its attempts.
--
-- KEYS as in mark.lua
-- ARGV[1] active, paused or disabled   ARGV[2] why, or ""
--
-- Returns the status it had; nil if there is no such subscription.
local before = redis.call("HGET", KEYS[1], "status")
if not before or before == ARGV[1] then
    return before
end
local time = redis.call("TIME")
local now = string.format("%d", time[1] * 1000 + math.floor(time[2] / 1000))
redis.call("HSET", KEYS[1], "status", ARGV[1], "changed", now)
redis.call("HDEL", KEYS[1], "reason")
if ARGV[2] ~= "" then
    redis.call("HSET", KEYS[1], "reason", ARGV[2])
end
if ARGV[1] == "active" then
    redis.call("HDEL", KEYS[1], "failing_since", "rests_until")
    redis.call("DEL", KEYS[6])
    local leases = redis.call("HGETALL", KEYS[7])
    local at_work = {}
    for i = 1, #leases, 2 do
        at_work[leases[i]] = tonumber(string.match(leases[i + 1], ":(%d+)$")) > tonumber(now)
    end
    for _, slug in ipairs(redis.call("ZRANGEBYSCORE", KEYS[3], "(" .. now, "+inf")) do
        if not at_work[slug] then
            redis.call("ZADD", KEYS[3], now, slug)
        end
    end
end
return before
