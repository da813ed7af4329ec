#!lua
-- Write down what became of an article that was taken: all of it, or nothing if the lease is not
-- ours any more. Then somebody else is at it, with the same message under the same id.
--
-- KEYS as in mark.lua, and
-- KEYS[8] recent  list   attempts, newest first
-- KEYS[9] dead    list   messages that were given up, newest first
-- KEYS[10] overdue hash  slug -> since when it is overdue, until that is told
--
-- ARGV[1] slug   ARGV[2] token
-- ARGV[3] plan, as JSON:
--   send: the message that is about to be sent for the first time; the lease goes on
--   outcome: delivered, failed, dead, gone or none
--   told: where the subscription stands from now on   news: what was known to be news when it was taken
--   overdue: since when it was, which is told now or not so any more
--   more: there is more to tell   pause: milliseconds until the next attempt
--   attempt, letter: lines for recent and dead   rest: milliseconds to leave the endpoint alone
--   patience: milliseconds that it may fail until it is disabled
-- ARGV[4] how many lines of recent are kept   ARGV[5] of dead
--
-- Returns "lost", "inactive", "kept", "settled", or "disabled" if that came of it.
local slug, plan = ARGV[1], cjson.decode(ARGV[3])
local lease = redis.call("HGET", KEYS[7], slug)
if not lease or string.match(lease, "^(.*):%d+$") ~= ARGV[2] then
    return "lost"
end
local facts = redis.call("HMGET", KEYS[1], "status", "failing_since")
local time = redis.call("TIME")
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local function due(at)
    redis.call("ZADD", KEYS[3], string.format("%d", at), slug)
end

if plan.send then
    if facts[1] ~= "active" then
        redis.call("HDEL", KEYS[7], slug)
        due(now)
        return "inactive"
    end
    redis.call("HSET", KEYS[5], slug, plan.send)
    return "kept"
end

redis.call("HDEL", KEYS[7], slug)
if plan.attempt then
    redis.call("LPUSH", KEYS[8], plan.attempt)
    redis.call("LTRIM", KEYS[8], 0, ARGV[4] - 1)
    redis.call("HSET", KEYS[1], "attempted", string.format("%d", now))
end
if plan.told then
    redis.call("HSET", KEYS[2], slug, plan.told)
    redis.call("HDEL", KEYS[5], slug)
    redis.call("HDEL", KEYS[6], slug)
end
if plan.overdue and redis.call("HGET", KEYS[10], slug) == plan.overdue then
    redis.call("HDEL", KEYS[10], slug)
end
if plan.letter then
    redis.call("LPUSH", KEYS[9], plan.letter)
    redis.call("LTRIM", KEYS[9], 0, ARGV[5] - 1)
end

if plan.outcome == "failed" then
    redis.call("HINCRBY", KEYS[6], slug, 1)
    due(now + plan.pause)
elseif plan.outcome == "gone" then
    due(now)
elseif plan.more or (redis.call("HGET", KEYS[4], slug) or "") ~= plan.news
    or redis.call("HEXISTS", KEYS[10], slug) == 1 then
    due(now)
else
    redis.call("ZREM", KEYS[3], slug)
    redis.call("HDEL", KEYS[4], slug)
end

if plan.outcome == "delivered" then
    redis.call("HDEL", KEYS[1], "failing_since", "rests_until")
    redis.call("HSET", KEYS[1], "delivered", string.format("%d", now))
    if facts[2] then
        -- It is well again: what waits for another attempt need not wait longer.
        local waiting = redis.call("ZRANGEBYSCORE", KEYS[3], "(" .. now, "+inf", "LIMIT", 0, 1000)
        for _, other in ipairs(waiting) do
            if redis.call("HEXISTS", KEYS[7], other) == 0 then
                redis.call("ZADD", KEYS[3], now, other)
            end
        end
    end
end

local function disable(reason)
    redis.call("HSET", KEYS[1], "status", "disabled", "reason", reason, "changed", string.format("%d", now))
    return "disabled"
end

if plan.outcome == "gone" then
    return disable("gone")
end
if plan.outcome == "failed" or plan.outcome == "dead" then
    redis.call("HSETNX", KEYS[1], "failing_since", string.format("%d", now))
    if plan.rest > 0 then
        redis.call("HSET", KEYS[1], "rests_until", string.format("%d", now + plan.rest))
    end
    if facts[2] and facts[1] == "active" and now - tonumber(facts[2]) >= plan.patience then
        return disable("failing")
    end
end
return "settled"
