#!lua
-- Take back bytes that were written ahead of a commit which did not come about.
--
-- Another renderer may have made the same ref current; that one stays.
--
-- KEYS[1] updates  hash    update_id -> ref, ref -> update
-- KEYS[2] state    hash    body: the ref of the current body
--
-- ARGV    refs
--
-- Returns how many went.
local gone = 0
for _, ref in ipairs(ARGV) do
    local update_id = string.match(ref, "^([^:@]+)@")
    local current
    if update_id then
        current = redis.call("HGET", KEYS[1], update_id)
    else
        current = redis.call("HGET", KEYS[2], "body")
    end
    if current ~= ref then
        gone = gone + redis.call("HDEL", KEYS[1], ref)
    end
end
return gone
