-- Spike an event that is held, and what builds on it, as if they had never been filed; only their
-- ids stay known. Follows filing.lua, which says what KEYS are.
--
-- ARGV[1] slug         ARGV[2] "<id> <source>"
--
-- Returns the names of what was spiked, in the order of filing.

look_at_the_rest()
local holds, picked = read_holds(), nil
for _, held in ipairs(holds) do
    if held.name == ARGV[2] then picked = held end
end
if not picked then
    return {}
end

local names = {}
local spiked = spike(holds, function(held)
    return held == picked or picked.act == "article.published"
        or picked.act == "update.posted" and held.update == picked.update
end)
for _, held in ipairs(spiked) do
    table.insert(names, held.name)
    if held.act == "update.posted" then
        redis.call("HDEL", KEYS[3], held.update)
    elseif held.act == "article.published" then
        redis.call("HDEL", KEYS[2], "status")
    end
end
return names
