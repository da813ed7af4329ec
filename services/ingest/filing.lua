#!lua
-- What append.lua, release.lua and spike.lua have in common; its text stands before theirs.
--
-- KEYS[1] seen     hash    "<id> <source>" -> "<seq> <chain> <fingerprint>"; of an event without a
--                          seq "held - <fingerprint>", or "spiked - <fingerprint>"
-- KEYS[2] article  hash    seq, chain, status (held: the article is); held: how many ever were;
--                          archived: the file that has the ledger; checks: what it sets of the
--                          desk's checks, as JSON; pull: the sources that it names, likewise
-- KEYS[3] posted   hash    update_id -> live | held | retracted
-- KEYS[4] ledger   list    event n at n-1
-- KEYS[5] events   stream  wake-ups of the lane
-- KEYS[6] dirty    zset    slug -> since when behind, in milliseconds
-- KEYS[7] holds    hash    "<id> <source>" -> an event that is held, in the form of PREFIX
-- KEYS[8] held     zset    slug -> when its next held event is due, in milliseconds; inf: when an
--                          editor says so
-- KEYS[9] redactions set   "<slug> <seq>" of a redaction whose text is to be destroyed; below zero,
--                          a number of its own: the event has no seq
--
-- KEYS[10] ticks   zset    slug -> when to plan what is pulled for it, in milliseconds: at once, and
--                          never again what it was when somebody began with it
-- KEYS[11] sources hash    name -> what operators say of a source that is pulled
--
-- ARGV[1] is the slug.

-- Reads first: whatever can fail, such as a key of another type, fails before the first write.
local slug, length, holding = ARGV[1], redis.call("LLEN", KEYS[4]), redis.call("HLEN", KEYS[7])
redis.call("ZCARD", KEYS[6])
local pulled = redis.call("HLEN", KEYS[11]) > 0
local facts = redis.call("HMGET", KEYS[2], "seq", "chain", "status", "archived", "checks", "pull")

-- Of the rest, an event on an update that is accepted at once writes only to what append.lua has
-- read, and to the stream, first of all. Whatever does more looks here before.
local function look_at_the_rest()
    redis.call("HLEN", KEYS[1])
    redis.call("HLEN", KEYS[3])
    redis.call("XLEN", KEYS[5])
    redis.call("ZCARD", KEYS[8])
    redis.call("SCARD", KEYS[9])
    redis.call("ZCARD", KEYS[10])
end

local article = { seq = tonumber(facts[1] or "0"), chain = facts[2] or "", status = facts[3],
    archived = facts[4] }
if length ~= article.seq and not article.archived then
    return redis.error_reply(
        "LEDGER has " .. length .. " entries where the article has " .. article.seq)
end

local time = redis.call("TIME")
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local BECOMES = {
    ["article.published"] = "live",
    ["article.closed"] = "closed",
    ["article.reopened"] = "live",
    ["article.killed"] = "killed",
}
local TAKES_BACK = { ["update.retracted"] = true, ["update.redacted"] = true }

-- Article before update before baseversion: the order of judgement that publishers rely on.
local function refusal(status, act, update_id, update)
    if status == "killed" then return "article-killed" end
    if act == "article.published" then
        return status and "article-exists"
    end
    if not status then return "unknown-article" end
    if act == "update.posted" then
        return status == "closed" and "article-closed" or update and "update-exists"
    end
    if update_id == "" then return nil end
    if not update then return "unknown-update" end
    if update == "retracted" and act ~= "update.unpinned" and act ~= "update.redacted" then
        return "update-retracted"
    end
end

-- What an article sets beside its copy, until it sets something else: fact `name` of `facts`.
local function set(event, name, before)
    local opens = event.act == "article.published"
    if not opens and event.act ~= "article.writethru" then return end
    local sent, value = string.find(event.envelope, '"' .. name .. '"', 1, true), ""
    if sent then
        local said = cjson.decode(event.envelope).data[name]
        if said == nil and not opens then return end
        if type(said) == "table" and next(said) ~= nil then value = cjson.encode(said) end
    elseif not opens then
        return
    end
    if value ~= "" or before then
        redis.call("HSET", KEYS[2], name, value)
    end
    return value
end

-- The levels of the desk's checks hold as soon as an opening is held, for what is held behind it.
local function set_checks(event) set(event, "checks", facts[5]) end

-- An event has name, fingerprint, act, update, clocked and envelope, as in ARGV of append.lua.
local function store(event)
    local seq = article.seq + 1
    local chain = redis.sha1hex(article.chain .. ":" .. seq .. ":" .. event.fingerprint)
    local ms = string.format("%d", now)
    redis.call("XADD", KEYS[5], "*", "article", slug, "seq", seq, "chain", chain,
        "data", event.envelope)
    set_checks(event)
    local named = set(event, "pull", facts[6])
    pulled = pulled or (named or "") ~= "" or (facts[6] or "") ~= ""
    redis.call("RPUSH", KEYS[4], '{"seq":' .. seq .. ',"chain":"' .. chain .. '","fingerprint":"'
        .. event.fingerprint .. '","recorded":' .. ms .. ',"clocked":' .. event.clocked
        .. ',"event":' .. event.envelope .. "}")
    redis.call("HSET", KEYS[2], "seq", seq, "chain", chain)
    redis.call("HSET", KEYS[1], event.name, seq .. " " .. chain .. " " .. event.fingerprint)
    article.seq, article.chain = seq, chain
    if BECOMES[event.act] then
        article.status = BECOMES[event.act]
        redis.call("HSET", KEYS[2], "status", article.status)
    elseif event.act == "update.posted" then
        redis.call("HSET", KEYS[3], event.update, "live")
    elseif TAKES_BACK[event.act] then
        redis.call("HSET", KEYS[3], event.update, "retracted")
    end
    -- Whatever may begin or end what is pulled, or set another rhythm; with its sources it was named.
    if pulled and string.sub(event.act, 1, 8) == "article." then
        redis.call("ZINCRBY", KEYS[10], 1, slug)
    end
    redis.call("ZADD", KEYS[6], "NX", ms, slug)
end

-- What begins an event that is held; its findings and its envelope, of the given size, follow.
-- "due" is 0 without an embargo. "stop" says what only an editor lifts: "check", or the code of the
-- problem that it had when it was due.
local PREFIX = '{"order":%d,"due":%s,"stop":"%s","act":"%s","update":"%s","fingerprint":"%s",'
    .. '"clocked":%s,"recorded":%s,"size":%d,'
local PATTERN = '^{"order":(%d+),"due":(%d+),"stop":"([%l-]*)","act":"([%l.]+)",'
    .. '"update":"([%w._~-]*)","fingerprint":"(%x+)","clocked":(%l+),"recorded":%d+,"size":(%d+),'

local function hold(event, due, stop, findings)
    local order = redis.call("HINCRBY", KEYS[2], "held", 1)
    local prefix = string.format(PREFIX, order, due, stop, event.act, event.update,
        event.fingerprint, event.clocked, string.format("%d", now), #event.envelope)
    redis.call("HSET", KEYS[7], event.name,
        prefix .. '"findings":' .. findings .. ',"event":' .. event.envelope .. "}")
    redis.call("HSET", KEYS[1], event.name, "held - " .. event.fingerprint)
end

-- When each may be released: not before what it builds on, which was filed earlier.
local function schedule(holds)
    local opening, posts = 0, {}
    for _, held in ipairs(holds) do
        local own = held.stop == "" and held.due or math.huge
        held.at = math.max(own, opening, posts[held.update] or 0)
        if not held.gone and held.act == "article.published" then
            opening = held.at
        elseif not held.gone and held.act == "update.posted" then
            posts[held.update] = held.at
        end
    end
end

-- All that is held of the article, in the order of filing.
local function read_holds()
    local holds, found = {}, holding > 0 and redis.call("HGETALL", KEYS[7]) or {}
    for n = 1, #found, 2 do
        local order, due, stop, act, update, fingerprint, clocked, size =
            string.match(found[n + 1], PATTERN)
        if not order then
            error({ err = "HELD event " .. found[n] .. " can't be read" })
        end
        table.insert(holds, {
            name = found[n], record = found[n + 1], order = tonumber(order), due = tonumber(due),
            stop = stop, act = act, update = update, fingerprint = fingerprint, clocked = clocked,
            envelope = string.sub(found[n + 1], -1 - size, -2),
        })
    end
    table.sort(holds, function(one, other) return one.order < other.order end)
    schedule(holds)
    return holds
end

-- Says when to look at the article again.
local function expect(holds)
    schedule(holds)
    local first
    for _, held in ipairs(holds) do
        if not held.gone then first = math.min(first or math.huge, held.at) end
    end
    if first then
        redis.call("ZADD", KEYS[8], string.format("%.0f", first), slug)
    else
        redis.call("ZREM", KEYS[8], slug)
    end
end

-- Takes those that are `chosen` out, for good; their ids stay known.
local function spike(holds, chosen)
    local spiked = {}
    for _, held in ipairs(holds) do
        if chosen(held) then
            redis.call("HDEL", KEYS[7], held.name)
            redis.call("HSET", KEYS[1], held.name, "spiked - " .. held.fingerprint)
            held.gone = true
            table.insert(spiked, held)
        end
    end
    expect(holds)
    return spiked
end
