-- Release what is due of an article, or what an editor says: number it, store it, wake for it, in
-- one step. Follows filing.lua, which says what KEYS are.
--
-- ARGV[1] slug         ARGV[2] "<id> <source>" of the one that an editor releases, or ""
--
-- Released in the order of time, then of filing, each judged after the ones before it. One that may
-- not be any more is stopped: it stays, for an editor to decide. What builds on an event waits with
-- it.
--
-- An editor lifts a stop first; an embargo beside it stands until it is over, or until the editor
-- releases the event once more.
--
-- Returns a list of {"released", name, seq}, {"stopped", name, <problem code>}, and for an editor's
-- {"unknown", name, ""}, {"behind", name, ""}: it waits for another, or {"lifted", name, <when it is
-- due, in milliseconds, or inf>}.

look_at_the_rest()
local holds, picked = read_holds(), nil
local updates, outcomes = {}, {}
for _, held in ipairs(holds) do
    if held.update ~= "" then
        updates[held.update] = redis.call("HGET", KEYS[3], held.update) or nil
    end
    if held.name == ARGV[2] then picked = held end
end

local function behind(held)
    if held.act ~= "article.published" and article.status == "held" then return true end
    return held.act ~= "update.posted" and updates[held.update] == "held"
end

local function stop(held, why)
    held.stop = why
    held.record = string.gsub(held.record, '"stop":"[%l-]*"', '"stop":"' .. why .. '"', 1)
    redis.call("HSET", KEYS[7], held.name, held.record)
end

-- Its own name is held while it is, which is no problem with it.
local function problem(held)
    local function others(state) return state ~= "held" and state or nil end
    return refusal(others(article.status), held.act, held.update, others(updates[held.update]))
end

local function release(held)
    redis.call("HDEL", KEYS[7], held.name)
    store(held)
    held.gone = true
    if held.act == "update.posted" then
        updates[held.update] = "live"
    elseif TAKES_BACK[held.act] then
        updates[held.update] = "retracted"
    end
    table.insert(outcomes, { "released", held.name, tostring(article.seq) })
end

if ARGV[2] ~= "" then
    if not picked then
        return { { "unknown", ARGV[2], "" } }
    end
    if picked.stop ~= "" then
        stop(picked, "")
        expect(holds)
        if picked.at > now then
            return { { "lifted", picked.name, string.format("%.0f", picked.at) } }
        end
    elseif behind(picked) then
        return { { "behind", picked.name, "" } }
    end
    picked.due = 0
    schedule(holds)
end

local due = {}
for _, held in ipairs(holds) do
    if held.at <= now then table.insert(due, held) end
end
table.sort(due, function(one, other)
    if one.at ~= other.at then return one.at < other.at end
    return one.order < other.order
end)
for _, held in ipairs(due) do
    local code = not behind(held) and problem(held)
    if code then
        stop(held, code)
        table.insert(outcomes, { "stopped", held.name, code })
    elseif not behind(held) then
        release(held)
    end
end
expect(holds)
return outcomes
