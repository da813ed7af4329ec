#!lua
-- Tell the newsroom that an article is overdue: once a spell, whoever finds out first.
--
-- KEYS[1] promised zset    slug -> when it will be overdue
-- KEYS[2] overdue  zset    slug -> since when it is overdue
-- KEYS[3] article  hash    version, version_chain
-- KEYS[4] changes  stream  the outbox
--
-- ARGV[1] slug   ARGV[2] when it will be overdue   ARGV[3] version   ARGV[4] its chain
-- ARGV[5] head, as the outside sees it   ARGV[6] kind
--
-- The entry's `from` is its `to`: nothing has changed but the hour.
--
-- Returns 1, or 0 if it was told of, or if there is news.
local slug, version = ARGV[1], ARGV[3]
local promised = redis.call("ZSCORE", KEYS[1], slug)
redis.call("ZCARD", KEYS[2])
redis.call("XLEN", KEYS[4])
local at = redis.call("HMGET", KEYS[3], "version", "version_chain")
if not promised or tonumber(promised) ~= tonumber(ARGV[2]) then return 0 end
if at[1] ~= version or at[2] ~= ARGV[4] then return 0 end

redis.call("ZREM", KEYS[1], slug)
redis.call("ZADD", KEYS[2], ARGV[2], slug)
redis.call("XADD", KEYS[4], "*", "article", slug, "from", version, "to", version,
    "chain", ARGV[4], "head", ARGV[5], "kinds", ARGV[6], "since", ARGV[2])
return 1
