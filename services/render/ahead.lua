#!lua
-- Write bytes ahead of a commit, while the article still is what they were folded onto.
--
-- A renderer that was overtaken, and stood still for long, might hold a text that was redacted or
-- killed since. Its commit would be refused; but its bytes would be in the engine's file again, and,
-- if it died before it took them back, in memory too.
--
-- KEYS[1] article  hash    version, version_chain
-- KEYS[2] updates  hash    update_id -> ref, ref -> update
--
-- ARGV[1] version   ARGV[2] its chain   ARGV[3…] ref, bytes, ref, bytes, …
--
-- Returns 1, or 0 if the article has moved on and nothing was written.
local facts = redis.call("HMGET", KEYS[1], "version", "version_chain")
if (facts[1] or "0") ~= ARGV[1] or (facts[2] or "") ~= ARGV[2] then
    return 0
end
for n = 3, #ARGV, 2 do
    redis.call("HSET", KEYS[2], ARGV[n], ARGV[n + 1])
end
return 1
