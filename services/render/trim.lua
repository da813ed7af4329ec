#!lua
-- Trim a stream of what every group has acknowledged and what is old enough: never more.
--
-- KEYS[1] stream
-- ARGV[1] milliseconds that entries are kept   ARGV[2] a group that must exist, or ""
--
-- Returns how many entries went.
if redis.call("EXISTS", KEYS[1]) == 0 then
    return 0
end

local function parts(id)
    local ms, count = string.match(id, "^(%d+)-(%d+)$")
    return tonumber(ms), tonumber(count)
end

local function before(a, b)
    local ms, count = parts(a)
    local its_ms, its_count = parts(b)
    return ms < its_ms or (ms == its_ms and count < its_count)
end

local time = redis.call("TIME")
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local keep_from = string.format("%d-0", math.max(0, now - tonumber(ARGV[1])))

local required = ARGV[2]
for _, group in ipairs(redis.call("XINFO", "GROUPS", KEYS[1])) do
    local facts = {}
    for i = 1, #group, 2 do
        facts[group[i]] = group[i + 1]
    end
    if facts["name"] == required then
        required = ""
    end
    local needed = redis.call("XPENDING", KEYS[1], facts["name"])[2] or facts["last-delivered-id"]
    if before(needed, keep_from) then
        keep_from = needed
    end
end
if required ~= "" then
    return 0
end
return redis.call("XTRIM", KEYS[1], "MINID", keep_from)
