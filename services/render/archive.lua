#!lua
-- Let what the archive's file has leave the engine, if the article still is what is in the file.
--
-- What stays: the article's facts, by which no slug is ever free again; seen and posted, by which
-- no id is; the head. Which file has the rest is said in both hashes: to whoever files, and to
-- whoever reads.
--
-- KEYS[1] article  hash    seq, chain, status, version, version_chain, rev | archived
-- KEYS[2] ledger   list    event n at n-1
-- KEYS[3] state    hash    version, chain, rev, head, body | archived
-- KEYS[4] holds    hash    events that are held
-- KEYS[5…] what else leaves
--
-- ARGV[1] file   ARGV[2] version   ARGV[3] its chain   ARGV[4] fold revision
--
-- Returns 1, or 0 if nothing was done.
local facts = redis.call("HMGET", KEYS[1],
    "seq", "chain", "status", "version", "version_chain", "rev", "archived")
local wanted = { ARGV[2], ARGV[3], "closed", ARGV[2], ARGV[3], ARGV[4], false }
for n = 1, #wanted do
    if facts[n] ~= wanted[n] then return 0 end
end
local length = redis.call("LLEN", KEYS[2])
redis.call("HLEN", KEYS[3])
if length ~= tonumber(ARGV[2]) or redis.call("HLEN", KEYS[4]) > 0 then
    return 0
end

redis.call("HSET", KEYS[1], "archived", ARGV[1])
redis.call("HSET", KEYS[3], "archived", ARGV[1])
redis.call("UNLINK", KEYS[2])
for n = 5, #KEYS do
    redis.call("UNLINK", KEYS[n])
end
return 1
