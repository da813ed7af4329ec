#!lua
-- Decide on one event and, if it is accepted, store it: all of it, or nothing.
--
-- KEYS[1] seen     hash    "<id> <source>" -> "<seq> <chain> <fingerprint>"
-- KEYS[2] article  hash    seq, chain, status
-- KEYS[3] posted   hash    update_id -> live | retracted
-- KEYS[4] ledger   list    event n at n-1
-- KEYS[5] events   stream  wake-ups of the lane
-- KEYS[6] dirty    zset    slug -> since when behind, in milliseconds
--
-- ARGV[1] slug         ARGV[2] "<id> <source>"   ARGV[3] fingerprint
-- ARGV[4] act, as "update.posted"                ARGV[5] update_id, or ""
-- ARGV[6] baseversion, or ""                     ARGV[7] "true" if ingest filled in the time
-- ARGV[8] envelope as JSON
--
-- Returns {"accepted" | "duplicate", seq, chain}, or {<problem code>, seq}.

-- Reads first: whatever can fail, such as a key of another type, fails before the first write.
local known = redis.call("HGET", KEYS[1], ARGV[2])
local article = redis.call("HMGET", KEYS[2], "seq", "chain", "status")
local update = redis.call("HGET", KEYS[3], ARGV[5])
local length = redis.call("LLEN", KEYS[4])
redis.call("XLEN", KEYS[5])
redis.call("ZCARD", KEYS[6])

local seq, chain, status = tonumber(article[1] or "0"), article[2] or "", article[3]
local slug, act = ARGV[1], ARGV[4]
if length ~= seq then
    return redis.error_reply("LEDGER has " .. length .. " entries where the article has " .. seq)
end

if known then
    local first, its_chain, fingerprint = string.match(known, "^(%d+) (%x+) (%x+)$")
    if fingerprint ~= ARGV[3] then
        return { "id-conflict", first }
    end
    return { "duplicate", first, its_chain }
end

-- Article before update before baseversion: the order of judgement that publishers rely on.
local function refusal()
    if status == "killed" then return "article-killed" end
    if act == "article.published" then
        return status and "article-exists"
    end
    if not status then return "unknown-article" end
    if act == "update.posted" then
        return status == "closed" and "article-closed" or update and "update-exists"
    end
    if ARGV[5] == "" then return nil end
    if not update then return "unknown-update" end
    if update == "retracted" and act ~= "update.unpinned" and act ~= "update.redacted" then
        return "update-retracted"
    end
end

local code = refusal()
if not code and ARGV[6] ~= "" and tonumber(ARGV[6]) ~= seq then
    code = "stale"
end
if code then
    return { code, tostring(seq) }
end

local time = redis.call("TIME")
local ms = string.format("%d", time[1] * 1000 + math.floor(time[2] / 1000))
seq = seq + 1
chain = redis.sha1hex(chain .. ":" .. seq .. ":" .. ARGV[3])

redis.call("RPUSH", KEYS[4], '{"seq":' .. seq .. ',"chain":"' .. chain .. '","fingerprint":"'
    .. ARGV[3] .. '","recorded":' .. ms .. ',"clocked":' .. ARGV[7] .. ',"event":' .. ARGV[8] .. "}")
redis.call("HSET", KEYS[2], "seq", seq, "chain", chain)
redis.call("HSET", KEYS[1], ARGV[2], seq .. " " .. chain .. " " .. ARGV[3])

local becomes = {
    ["article.published"] = "live",
    ["article.closed"] = "closed",
    ["article.reopened"] = "live",
    ["article.killed"] = "killed",
}
if becomes[act] then
    redis.call("HSET", KEYS[2], "status", becomes[act])
elseif act == "update.posted" then
    redis.call("HSET", KEYS[3], ARGV[5], "live")
elseif act == "update.retracted" or act == "update.redacted" then
    redis.call("HSET", KEYS[3], ARGV[5], "retracted")
end

redis.call("XADD", KEYS[5], "*", "article", slug, "seq", seq, "chain", chain, "data", ARGV[8])
redis.call("ZADD", KEYS[6], "NX", ms, slug)
return { "accepted", tostring(seq), chain }
