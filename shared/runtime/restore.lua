#!lua
-- Bring an article's ledger back from the archive, portion by portion; with the last one, say so.
--
-- KEYS[1] article  hash    seq, chain, archived: the file that has the ledger | rev
-- KEYS[2] ledger   list    event n at n-1
-- KEYS[3] dirty    zset    slug -> since when behind, in milliseconds
--
-- ARGV[1] slug   ARGV[2] file   ARGV[3] entries that are in the ledger now
-- ARGV[4…] the entries that follow
--
-- Returns how many entries there are then; -1 if the article is in that file no more. If somebody
-- else has put some there meanwhile, nothing is done.
local facts = redis.call("HMGET", KEYS[1], "seq", "archived")
local length = redis.call("LLEN", KEYS[2])
redis.call("ZCARD", KEYS[3])
if facts[2] ~= ARGV[2] then
    return -1
end
if length == tonumber(ARGV[3]) then
    for i = 4, #ARGV do
        length = redis.call("RPUSH", KEYS[2], ARGV[i])
    end
end
if length == tonumber(facts[1]) then
    redis.call("HDEL", KEYS[1], "archived")
    -- Of no fold: a renderer folds it from the beginning, and readers find it in the archive till then.
    redis.call("HSET", KEYS[1], "rev", 0)
    local time = redis.call("TIME")
    redis.call("ZADD", KEYS[3], "NX",
        string.format("%d", time[1] * 1000 + math.floor(time[2] / 1000)), ARGV[1])
end
return length
