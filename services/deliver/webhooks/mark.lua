#!lua
-- Note that articles have moved on, so that somebody looks what a subscription lacks of them.
--
-- Safe to run again, and late: where a subscription stands is set once, by who comes first.
--
-- KEYS[1] state   hash   of the subscription, which is gone if this is
-- KEYS[2] told    hash   slug -> version.chain12
-- KEYS[3] due     zset   slug -> engine's milliseconds
-- KEYS[4] news    hash   slug -> version.chain12
-- KEYS[5] sent    hash   slug -> message
-- KEYS[6] tries   hash   slug -> failures
-- KEYS[7] leases  hash   slug -> token:until
-- KEYS[10] overdue hash  slug -> since when it is overdue, in milliseconds
--
-- ARGV, five for each article: slug, where it stood before, where it stands now,
--   "1" if that is to be told at once, and
--   "known" (only to who was told of it before), "all", or "anew" (what was told is not so any more);
--   or "overdue", and in place of where it stands now since when it is
--
-- Returns how many are to be looked at.
if redis.call("EXISTS", KEYS[1]) == 0 then
    return 0
end
local time = redis.call("TIME")
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local function at_work(slug)
    local lease = redis.call("HGET", KEYS[7], slug)
    return lease and tonumber(string.match(lease, ":(%d+)$")) > now
end

local marked = 0
for i = 1, #ARGV, 5 do
    local slug, before, after, how = ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 4]
    local told = redis.call("HGET", KEYS[2], slug)
    if told and how == "anew" then
        -- No chain is this one, so whoever looks finds a history that is not ours any more.
        redis.call("HSET", KEYS[2], slug, string.match(told, "^%d+") .. ".000000000000")
        redis.call("HDEL", KEYS[5], slug)
        redis.call("HDEL", KEYS[6], slug)
        redis.call("HDEL", KEYS[7], slug)
    end
    if told or how ~= "known" then
        if not told then
            redis.call("HSET", KEYS[2], slug, before)
        end
        redis.call("HSET", how == "overdue" and KEYS[10] or KEYS[4], slug, after)
        local due = redis.call("ZSCORE", KEYS[3], slug)
        if not due or (ARGV[i + 3] == "1" and tonumber(due) > now and not at_work(slug)) then
            redis.call("ZADD", KEYS[3], now, slug)
        end
        marked = marked + 1
    end
end
return marked
