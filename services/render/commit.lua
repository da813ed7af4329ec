#!lua
-- Make one fold current: all of it, or nothing. Then ack the wake-ups that the version covers.
--
-- Compare-and-set on version, chain and fold revision: a second renderer, a zombie and a repeat
-- after a lost reply write nothing. Bytes of updates and of the body are there already, under
-- names that no other content can have; this makes those names current.
--
-- KEYS[1] article  hash    seq, chain | version, version_chain, rev
-- KEYS[2] ledger   list    event n at n-1
-- KEYS[3] state    hash    version, chain, rev, head, body; refolded, how often that changed it
-- KEYS[4] updates  hash    update_id -> ref, ref -> update
-- KEYS[5] pages    hash    page -> refs
-- KEYS[6] changed  zset    update_id -> version of its last change
-- KEYS[7] changes  stream  the outbox
-- KEYS[8] events   stream  wake-ups, group as in the plan
-- KEYS[9] dirty    zset    slug -> since when behind
-- KEYS[10] latest  zset    slug -> updated, in microseconds
-- KEYS[11] noted   zset    update_id -> version of its last note
-- KEYS[12] key_events  zset  update_id -> number
-- KEYS[13] quarantined  hash  slug -> lines: seq, revision, why
-- KEYS[14] due      zset    slug -> when its next change is due, in milliseconds
-- KEYS[15] promised zset    slug -> when it will be overdue, of those that are not known to be
-- KEYS[16] overdue  zset    slug -> since when it is overdue, of those of which that was told
--
-- ARGV[1] slug   ARGV[2] from   ARGV[3] chain at from   ARGV[4] to   ARGV[5] chain at to
-- ARGV[6] head, as stored       ARGV[7] head, as the outside sees it
-- ARGV[8] plan, as JSON: rev, replace, force (to an older revision), killed, kinds, group,
--         traceparent (if the events are in a trace), was (section and tags before, as JSON, if they are
--         others now), body (ref, if it changed), updated (unless never published), due and overdue
--         (when the next change is, unless none is promised),
--         updates [[update_id, ref, version, version of its last note or 0, number if it is a key
--         event, else 0; below 0 if it can't be in that list from before]], superseded [field], pages [[page, refs]],
--         quarantined (lines for KEYS[13]: those of the new events; with replace, all), acks [[entry, seq]]
--
-- from = to and not replace: nothing to commit, only wake-ups to ack.
-- replace: the whole article was folded anew, maybe to fewer events than it had.
--
-- Returns {"committed" | "stale" | "fork" | "newer" | "missing" | "acked", version, entry of the
-- outbox or ""}. After "missing" nothing may be taken back: whoever wrote these bytes since is about
-- to commit them.
local slug, from, to = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[4])
local plan = cjson.decode(ARGV[8])

local article = redis.call("HMGET", KEYS[1], "seq", "version", "version_chain", "rev")
local last = redis.call("LINDEX", KEYS[2], to - 1)
-- What is written is looked at first: a key of another type must fail before the first write.
redis.call("HLEN", KEYS[3])
if #plan.updates == 0 then redis.call("HLEN", KEYS[4]) end -- else bytes_are_there looks
redis.call("HLEN", KEYS[5])
redis.call("ZCARD", KEYS[6])
redis.call("XLEN", KEYS[7])
redis.call("XLEN", KEYS[8])
redis.call("ZCARD", KEYS[9])
redis.call("ZCARD", KEYS[10])
local only_new = not plan.replace and not plan.killed and #plan.updates > 0
for _, item in ipairs(plan.updates) do
    only_new = only_new and item[4] < 0 and item[5] < 0
end
if not only_new then
    redis.call("ZCARD", KEYS[11])
    redis.call("ZCARD", KEYS[12])
end
local marks = redis.call("HGET", KEYS[13], slug) or ""
redis.call("ZCARD", KEYS[14])
redis.call("ZCARD", KEYS[15])
local overdue = redis.call("ZSCORE", KEYS[16], slug)

local seq, version = tonumber(article[1] or "0"), tonumber(article[2] or "0")
local rev = tonumber(article[4] or plan.rev)

-- A renderer that was overtaken takes back what it wrote ahead, and may have taken ours.
local function bytes_are_there()
    for _, item in ipairs(plan.updates) do
        if redis.call("HEXISTS", KEYS[4], item[2]) == 0 then return false end
    end
    return not plan.body or redis.call("HEXISTS", KEYS[4], plan.body) == 1
end

local function verdict()
    if rev > plan.rev and not plan.force then return "newer" end
    if version ~= from or (rev < plan.rev and not plan.replace) then return "stale" end
    if (article[3] or "") ~= ARGV[3] then return "fork" end
    if to == from and not plan.replace then return "acked" end
    -- The ledger may have lost its tail in a failover and grown another one since.
    if not last or string.match(last, '^{"seq":%d+,"chain":"(%x+)"') ~= ARGV[5] then
        return "fork"
    end
    if not bytes_are_there() then return "missing" end
    return "committed"
end

local function list(key, score, update_id)
    if score > 0 then
        redis.call("ZADD", key, score, update_id)
    elseif score == 0 then
        redis.call("ZREM", key, update_id)
    end
end

-- A spell of being overdue is known by its beginning: only news makes another one.
local function expect_news()
    if not plan.due then
        redis.call("ZREM", KEYS[14], slug)
        redis.call("ZREM", KEYS[15], slug)
        if overdue then redis.call("ZREM", KEYS[16], slug) end
        return
    end
    redis.call("ZADD", KEYS[14], plan.due, slug)
    if not overdue or tonumber(overdue) ~= tonumber(plan.overdue) then
        if overdue then redis.call("ZREM", KEYS[16], slug) end
        redis.call("ZADD", KEYS[15], plan.overdue, slug)
    end
end

local result, told = verdict(), ""
if result == "committed" then
    if plan.replace then
        -- Brought back from the archive: from now on readers find it here.
        redis.call("HDEL", KEYS[3], "archived")
    end
    if plan.replace or plan.killed then
        redis.call("DEL", KEYS[5], KEYS[6], KEYS[11], KEYS[12])
    end
    if plan.killed then
        redis.call("DEL", KEYS[3], KEYS[4])
    elseif plan.body then
        redis.call("HSET", KEYS[3], "body", plan.body)
    end
    if plan.updated then
        redis.call("ZADD", KEYS[10], plan.updated, slug)
    else
        redis.call("ZREM", KEYS[10], slug)
    end
    for _, item in ipairs(plan.updates) do
        redis.call("HSET", KEYS[4], item[1], item[2])
        redis.call("ZADD", KEYS[6], item[3], item[1])
        list(KEYS[11], item[4], item[1])
        list(KEYS[12], item[5], item[1])
    end
    for _, item in ipairs(plan.pages) do
        redis.call("HSET", KEYS[5], item[1], item[2])
    end
    for _, field in ipairs(plan.superseded) do
        redis.call("HDEL", KEYS[4], field)
    end
    -- Events that had no effect have one now, or the other way round: versions that readers
    -- have seen are no longer what they were.
    local refolded = plan.replace and from > 0 and marks ~= plan.quarantined
    if refolded then
        redis.call("HINCRBY", KEYS[3], "refolded", 1)
    end
    local left = (plan.replace and "" or marks) .. plan.quarantined
    if left == "" and marks ~= "" then
        redis.call("HDEL", KEYS[13], slug)
    elseif left ~= marks then
        redis.call("HSET", KEYS[13], slug, left)
    end
    redis.call("HSET", KEYS[3], "version", to, "chain", ARGV[5], "rev", plan.rev, "head", ARGV[6])
    redis.call("HSET", KEYS[1], "version", to, "version_chain", ARGV[5], "rev", plan.rev)
    if ARGV[5] ~= ARGV[3] or refolded then
        local more = plan.traceparent and { "traceparent", plan.traceparent } or {}
        if plan.was then
            more[#more + 1], more[#more + 2] = "was", plan.was
        end
        if refolded then
            more[#more + 1], more[#more + 2] = "refolded", "1"
        end
        told = redis.call("XADD", KEYS[7], "*", "article", slug, "from", from, "to", to,
            "chain", ARGV[5], "head", ARGV[7], "kinds", plan.kinds, unpack(more))
    end
    version = to
end

-- Whoever was overtaken by the kill and died may have left copy behind.
if result == "acked" and plan.killed then
    redis.call("DEL", KEYS[4], KEYS[5], KEYS[6], KEYS[11], KEYS[12])
end

if result == "committed" or result == "acked" then
    expect_news()
end

-- An article that is caught up needs no wake-up, nor one of a timeline that was lost.
for _, item in ipairs(plan.acks) do
    if item[2] <= version or version >= seq then
        redis.call("XACK", KEYS[8], plan.group, item[1])
    end
end
if version >= seq then
    redis.call("ZREM", KEYS[9], slug)
end
return { result, tostring(version), told }
