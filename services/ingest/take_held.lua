-- Hold an event that another installation held, unless it is known here.
-- Follows filing.lua, which says what KEYS are.
--
-- ARGV[1] slug         ARGV[2] "<id> <source>"   ARGV[3] the event in the form of PREFIX
--
-- Returns 1, or 0 if it is known.

look_at_the_rest()
if redis.call("HEXISTS", KEYS[1], ARGV[2]) == 1 then
    return 0
end
local order, _, _, act, update, fingerprint = string.match(ARGV[3], PATTERN)
if not order then
    return redis.error_reply("HELD event " .. ARGV[2] .. " can't be read")
end

redis.call("HSET", KEYS[7], ARGV[2], ARGV[3])
redis.call("HSET", KEYS[1], ARGV[2], "held - " .. fingerprint)
local last = tonumber(redis.call("HGET", KEYS[2], "held") or "0")
redis.call("HSET", KEYS[2], "held", math.max(last, tonumber(order)))
if act == "article.published" then
    redis.call("HSET", KEYS[2], "status", "held")
elseif act == "update.posted" then
    redis.call("HSET", KEYS[3], update, "held")
end
holding = holding + 1
expect(read_holds())
return 1
