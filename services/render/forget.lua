#!lua
-- Forget consumers that went away and left nothing pending. Checked and done in one step: a
-- consumer that is deleted takes its pending entries along.
--
-- KEYS[1] stream
-- ARGV[1] group   ARGV[2] milliseconds of silence
--
-- Returns how many went.
local gone = 0
for _, consumer in ipairs(redis.call("XINFO", "CONSUMERS", KEYS[1], ARGV[1])) do
    local facts = {}
    for i = 1, #consumer, 2 do
        facts[consumer[i]] = consumer[i + 1]
    end
    if facts["pending"] == 0 and facts["idle"] > tonumber(ARGV[2]) then
        redis.call("XGROUP", "DELCONSUMER", KEYS[1], ARGV[1], facts["name"])
        gone = gone + 1
    end
end
return gone
