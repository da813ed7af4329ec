-- Sends events for wrk, each with an id of its own. The words after `--` are the method, a file with
-- one text a line, ready to stand in JSON, how many events a request has (0 for one by itself), their
-- media type, the header Authorization, and a seed.

local ARTICLES = 100
local next_thread = 0

function setup(thread)
    thread:set("place", next_thread)
    next_thread = next_thread + 1
end

local texts, many, number, head, media = {}, 0, 0, {}, ""

function init(words)
    wrk.method = words[1]
    for line in io.lines(words[2]) do texts[#texts + 1] = line end
    many, media = tonumber(words[3]), words[4]
    head = { ["Content-Type"] = media, ["Authorization"] = words[5] }
    math.randomseed(tonumber(words[6]) + place)
    number = math.random(1, 2 ^ 40) * 4 + place
end

local function event()
    number = number + 4
    local article, text = number / 4 % ARTICLES, texts[math.floor(number / 4) % #texts + 1]
    return string.format(
        '{"specversion":"1.0","id":"e%.0f","source":"/newsroom/cms","type":"writethru.update.posted",'
            .. '"subject":"story-%d","time":"2026-03-01T09:30:00Z","data":{"text":"%s","urgency":4,'
            .. '"headline":"Crews reach the bridge as the tide turns","provenance":"human"}}',
        number, article, text)
end

function request()
    if many == 0 then return wrk.format(nil, nil, head, event()) end
    local events = {}
    for n = 1, many do events[n] = event() end
    local lines = media == "application/x-ndjson"
    local body = lines and table.concat(events, "\n") or "[" .. table.concat(events, ",") .. "]"
    return wrk.format(nil, nil, head, body)
end
