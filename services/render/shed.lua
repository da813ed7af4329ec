#!lua
-- Take what must not exist out of a stream: every other entry stays, and so do groups, and what is
-- pending with them.
--
-- XDEL and XTRIM only mark an entry: its bytes stay in memory, and in every file written from
-- there, until all of its node is gone. So the stream is made anew beside itself and takes its place.
--
-- KEYS[1] stream   KEYS[2] where the new one is made, in the same slot
-- ARGV: id, data, id, data, …: data replaces the entry's field of that name
--
-- Returns how many entries were changed.
if redis.call("EXISTS", KEYS[1]) == 0 then
    return 0
end
local PORTION = 500

local function facts(reply)
    local found = {}
    for i = 1, #reply, 2 do
        found[reply[i]] = reply[i + 1]
    end
    return found
end

local stream = facts(redis.call("XINFO", "STREAM", KEYS[1]))
local groups = redis.call("XINFO", "GROUPS", KEYS[1])
local replaced = {}
for i = 1, #ARGV, 2 do
    replaced[ARGV[i]] = ARGV[i + 1]
end

redis.call("DEL", KEYS[2])
redis.call("XGROUP", "CREATE", KEYS[2], "shed", "0", "MKSTREAM")
redis.call("XGROUP", "DESTROY", KEYS[2], "shed")

local shed, start = 0, "-"
repeat
    local entries = redis.call("XRANGE", KEYS[1], start, "+", "COUNT", PORTION)
    for _, entry in ipairs(entries) do
        local id, fields = entry[1], entry[2]
        if replaced[id] then
            for i = 1, #fields, 2 do
                if fields[i] == "data" then fields[i + 1] = replaced[id] end
            end
            shed = shed + 1
        end
        redis.call("XADD", KEYS[2], id, unpack(fields))
        start = "(" .. id
    end
until #entries < PORTION
redis.call("XSETID", KEYS[2], stream["last-generated-id"],
    "ENTRIESADDED", stream["entries-added"], "MAXDELETEDID", stream["max-deleted-entry-id"])

local function pending(name)
    local start = "-"
    repeat
        local found = redis.call("XPENDING", KEYS[1], name, start, "+", PORTION)
        for _, each in ipairs(found) do
            redis.call("XCLAIM", KEYS[2], name, each[2], 0, each[1],
                "IDLE", each[3], "RETRYCOUNT", each[4], "FORCE", "JUSTID")
            start = "(" .. each[1]
        end
    until #found < PORTION
end

for _, group in ipairs(groups) do
    local its = facts(group)
    local create = { "XGROUP", "CREATE", KEYS[2], its["name"], its["last-delivered-id"] }
    if its["entries-read"] then
        create[#create + 1] = "ENTRIESREAD"
        create[#create + 1] = its["entries-read"]
    end
    redis.call(unpack(create))
    pending(its["name"])
end
redis.call("RENAME", KEYS[2], KEYS[1])
return shed
