#!lua
-- Move a source's next tick, if nobody has moved it meanwhile: to take it for a while, to set the
-- one that follows, or to end them.
--
-- A lease is nothing but a later tick: who takes one and dies leaves it to be due again, and who
-- was merely late finds it moved.
--
-- KEYS[1] ticks    zset   "<slug> <source>" -> when it is due, in milliseconds; "<slug>": when to
--                         look what its sources are
-- KEYS[2] pulses   hash   of the article: source -> how it does
-- KEYS[3] failing  zset   "<slug> <source>" -> since when, in milliseconds
--
-- ARGV[1] "<slug> <source>", or the slug   ARGV[2] when it was due, or "" if there was no tick
-- ARGV[3] when it is due now, or "" to end them   ARGV[4] source   ARGV[5] how it does, as JSON; "" to
-- leave that as it is, "-" to forget it   ARGV[6] since when it fails, or "" if it doesn't
--
-- Returns 1, or 0 if nothing was done.
local member = ARGV[1]
local due = redis.call("ZSCORE", KEYS[1], member)
redis.call("HLEN", KEYS[2])
redis.call("ZCARD", KEYS[3])
if tonumber(due or "") ~= tonumber(ARGV[2]) then return 0 end

if ARGV[3] == "" then
    redis.call("ZREM", KEYS[1], member)
else
    redis.call("ZADD", KEYS[1], ARGV[3], member)
end
if ARGV[5] == "" then return 1 end
if ARGV[5] == "-" then
    redis.call("HDEL", KEYS[2], ARGV[4])
else
    redis.call("HSET", KEYS[2], ARGV[4], ARGV[5])
end
if ARGV[6] == "" then
    redis.call("ZREM", KEYS[3], member)
else
    redis.call("ZADD", KEYS[3], ARGV[6], member)
end
return 1
