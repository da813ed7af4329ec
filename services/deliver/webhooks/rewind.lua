#!lua
-- Have a subscription told of articles again, from a version on.
--
-- KEYS as in mark.lua, and KEYS[9] dead
--
-- ARGV[1] "replay", or "letters" for messages that were given up, which keep their ids
-- ARGV, four for each article: slug, version.chain12 to begin at, "" or the message, "" or its line in dead
--
-- Returns how many there were.
if redis.call("EXISTS", KEYS[1]) == 0 then
    return 0
end
local time = redis.call("TIME")
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if ARGV[1] == "replay" then
    redis.call("HINCRBY", KEYS[1], "replays", 1)
end
for i = 2, #ARGV, 4 do
    local slug = ARGV[i]
    redis.call("HSET", KEYS[2], slug, ARGV[i + 1])
    redis.call("HSET", KEYS[4], slug, "again")
    redis.call("HDEL", KEYS[6], slug)
    redis.call("HDEL", KEYS[7], slug)
    if ARGV[i + 2] == "" then
        redis.call("HDEL", KEYS[5], slug)
    else
        redis.call("HSET", KEYS[5], slug, ARGV[i + 2])
    end
    if ARGV[i + 3] ~= "" then
        redis.call("LREM", KEYS[9], 0, ARGV[i + 3])
    end
    redis.call("ZADD", KEYS[3], now, slug)
end
return (#ARGV - 1) / 4
