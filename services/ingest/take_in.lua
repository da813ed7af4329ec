#!lua
-- Put entries of an article's history at the end of its ledger; with the last ones, accept them.
--
-- KEYS[1] article  hash    seq, chain, status, checks
-- KEYS[2] ledger   list    event n at n-1
-- KEYS[3] dirty    zset    slug -> since when behind, in milliseconds
--
-- ARGV[1] slug   ARGV[2] seq, as filed now   ARGV[3] entries that are in the ledger now
-- ARGV[4] chain after the last entry if that ends the history, or ""   ARGV[5] status then, or ""
-- ARGV[6] what the article sets of the desk's checks then, as JSON, or ""
-- ARGV[7…] entries, as append wrote them elsewhere
--
-- Returns how many entries the ledger has then, or -1 if it is not as ARGV[2] and ARGV[3] say.
local seq = tonumber(redis.call("HGET", KEYS[1], "seq") or "0")
local length = redis.call("LLEN", KEYS[2])
redis.call("ZCARD", KEYS[3])
if seq ~= tonumber(ARGV[2]) or length ~= tonumber(ARGV[3]) then
    return -1
end

for i = 7, #ARGV do
    length = redis.call("RPUSH", KEYS[2], ARGV[i])
end
if ARGV[4] ~= "" then
    redis.call("HSET", KEYS[1], "seq", length, "chain", ARGV[4])
    if ARGV[6] ~= "" then
        redis.call("HSET", KEYS[1], "checks", ARGV[6])
    end
    if ARGV[5] ~= "" then
        redis.call("HSET", KEYS[1], "status", ARGV[5])
    end
    local time = redis.call("TIME")
    redis.call("ZADD", KEYS[3], "NX", string.format("%d", time[1] * 1000), ARGV[1])
end
return length
