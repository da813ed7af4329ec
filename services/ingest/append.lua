-- Decide on one event and, if it is accepted or held, store it: all of it, or nothing.
-- Follows filing.lua, which says what KEYS are.
--
-- ARGV[1] slug         ARGV[2] "<id> <source>"   ARGV[3] fingerprint
-- ARGV[4] act, as "update.posted"                ARGV[5] update_id, or ""
-- ARGV[6] baseversion, or ""                     ARGV[7] "true" if ingest filled in the time
-- ARGV[8] envelope as JSON                       ARGV[9] end of its embargo in milliseconds, or 0
-- ARGV[10] "check" if an editor has to release it, "refuse" if its copy is refused, or ""
-- ARGV[11] findings as JSON
-- ARGV[12] of a redaction: the chain at which the ledger ended when it was read; then seq and record,
--          seq and record, … of each entry about the update, without its text
--
-- Returns {"accepted" | "duplicate", seq, chain}, {"held"}, {"duplicate", "held" | "spiked"},
-- {"again"} to a redaction: the ledger is another since, read on; or
-- {<problem code>, seq}, "invalid" for its copy; with "held" or "spiked" where the other event has
-- no seq. Or {"archived", file}: the article has to be brought back first.

local known = redis.call("HGET", KEYS[1], ARGV[2])
local update = redis.call("HGET", KEYS[3], ARGV[5])
local event = {
    name = ARGV[2], fingerprint = ARGV[3], act = ARGV[4], update = ARGV[5], clocked = ARGV[7],
    envelope = ARGV[8],
}

if known then
    local first, its_chain, fingerprint = string.match(known, "^(%w+) ([%x-]+) (%x+)$")
    if fingerprint ~= event.fingerprint then
        return { "id-conflict", first }
    end
    if its_chain == "-" then
        return { "duplicate", first }
    end
    return { "duplicate", first, its_chain }
end

if article.archived then
    return { "archived", article.archived }
end

local code = refusal(article.status, event.act, event.update, update)
if not code and ARGV[6] ~= "" and tonumber(ARGV[6]) ~= article.seq then
    code = "stale"
end
if not code and ARGV[10] == "refuse" then
    code = "invalid"
end
if code then
    return { code, tostring(article.seq) }
end

if event.act == "update.redacted" and ARGV[12] ~= article.chain then
    return { "again" }
end

local at_once = holding == 0 and ARGV[9] == "0" and ARGV[10] == "" and update ~= "held"
    and article.status ~= "held" and event.act ~= "update.redacted" and event.update ~= ""
if not at_once then look_at_the_rest() end

-- The text goes in the step that takes it back; a renderer sees to where else it is. Where no seq
-- tells one note from another, a number below zero does: each is to be carried out.
local function destroy(seq)
    seq = seq or -redis.call("HINCRBY", KEYS[2], "held", 1)
    for n = 13, #ARGV, 2 do
        redis.call("LSET", KEYS[4], ARGV[n] - 1, ARGV[n + 1])
    end
    redis.call("SADD", KEYS[9], slug .. " " .. seq)
end

local function about_update(held) return held.update == event.update end

-- A kill looks at no record: one that is damaged must not stand in its way.
local function spike_all()
    for _, name in ipairs(redis.call("HKEYS", KEYS[7])) do
        local its = redis.call("HGET", KEYS[1], name) or ""
        redis.call("HSET", KEYS[1], name, (string.gsub(its, "^held", "spiked")))
        redis.call("HDEL", KEYS[7], name)
    end
    redis.call("ZREM", KEYS[8], slug)
end

-- What was never released is taken back without a trace: the act has no place in the ledger.
local function unseen()
    redis.call("HSET", KEYS[1], event.name, "spiked - " .. event.fingerprint)
    return { "held" }
end

if event.act == "article.killed" then
    if holding > 0 then spike_all() end
    if article.status == "held" then
        redis.call("HSET", KEYS[2], "status", "killed")
        return unseen()
    end
elseif update == "held" and TAKES_BACK[event.act] then
    spike(read_holds(), about_update)
    redis.call("HSET", KEYS[3], event.update, "retracted")
    if event.act == "update.redacted" then destroy() end
    return unseen()
elseif event.act == "update.redacted" and article.status ~= "held" then
    if holding > 0 then spike(read_holds(), about_update) end
    destroy(article.seq + 1)
else
    -- What takes a text back waits for no editor.
    local due, stop = tonumber(ARGV[9]), TAKES_BACK[event.act] and "" or ARGV[10]
    local behind = article.status == "held" or update == "held"
    if due > now or stop ~= "" or behind then
        if event.act == "update.redacted" then destroy() end
        hold(event, ARGV[9], stop, ARGV[11])
        if event.act == "article.published" then
            redis.call("HSET", KEYS[2], "status", "held")
            set_checks(event)
        elseif event.act == "update.posted" then
            redis.call("HSET", KEYS[3], event.update, "held")
        end
        -- What it is behind is due no later.
        if not behind then
            redis.call("ZADD", KEYS[8], "LT", stop == "" and ARGV[9] or "inf", slug)
        end
        return { "held" }
    end
end

store(event)
return { "accepted", tostring(article.seq), article.chain }
