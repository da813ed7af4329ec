#!lua
-- Take articles of one subscription that are due, until a lease ends.
--
-- A lease is nothing but a later due time: who takes an article and dies leaves it to be due again.
--
-- KEYS as in mark.lua
-- ARGV[1] token   ARGV[2] milliseconds that the lease holds   ARGV[3] how many are wanted
-- ARGV[4] how many may be out at once, with all processes     ARGV[5] the same while it fails
--
-- Returns {replays, "1" if it fails, {slug, told, news, message or "", failures, since when it is overdue
-- or ""}, …}; nothing where none is due.
local facts = redis.call("HMGET", KEYS[1], "status", "failing_since", "rests_until", "replays")
if facts[1] ~= "active" then
    return {}
end
local time = redis.call("TIME")
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if tonumber(facts[3] or "0") > now then
    return {}
end
local due = redis.call("ZRANGEBYSCORE", KEYS[3], "-inf", now, "LIMIT", 0, ARGV[3])
if #due == 0 then
    return {}
end
local room = tonumber(facts[2] and ARGV[5] or ARGV[4])
for _, lease in ipairs(redis.call("HVALS", KEYS[7])) do
    if tonumber(string.match(lease, ":(%d+)$")) > now then
        room = room - 1
    end
end
local till = string.format("%d", now + tonumber(ARGV[2]))
local taken = { facts[4] or "0", facts[2] and "1" or "" }
for place = 1, math.min(room, #due) do
    local slug = due[place]
    redis.call("ZADD", KEYS[3], till, slug)
    redis.call("HSET", KEYS[7], slug, ARGV[1] .. ":" .. till)
    taken[#taken + 1] = {
        slug,
        redis.call("HGET", KEYS[2], slug) or "0",
        redis.call("HGET", KEYS[4], slug) or "",
        redis.call("HGET", KEYS[5], slug) or "",
        redis.call("HGET", KEYS[6], slug) or "0",
        redis.call("HGET", KEYS[10], slug) or "",
    }
end
return #taken > 2 and taken or {}
