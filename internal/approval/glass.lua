-- Lets the requester act alone, when nobody has answered for long enough.
-- KEYS[1] hash of the request   KEYS[2] hash: incident and digest → pending request   KEYS[3] sorted set of pending requests
-- ARGV[1] ID   ARGV[2] person, normalised   ARGV[3] digest that the person saw   ARGV[4] the decision as JSON   ARGV[5] now, Unix ms
-- ARGV[6] seal of ARGV[4]   ARGV[7] expiry, Unix ms   ARGV[8] requester, normalised   ARGV[9] digest
-- ARGV[10] from when one person may act alone, Unix ms; 0 for never: all four of the request as it was sealed
-- Returns "ok", "notfound", "notpending", "expired", "notrequester", "digest", "never" or "early". Only "ok" changes anything.
local request = KEYS[1]
local seen = redis.call('HMGET', request, 'state', 'plan')
local state, plan = seen[1], seen[2]
if not state then return 'notfound' end
if state ~= 'pending' then return 'notpending' end
if tonumber(ARGV[5]) >= tonumber(ARGV[7]) then return 'expired' end
if ARGV[8] == '' or ARGV[2] ~= ARGV[8] then return 'notrequester' end
if ARGV[3] ~= ARGV[9] then return 'digest' end
if tonumber(ARGV[10]) == 0 then return 'never' end
if tonumber(ARGV[5]) < tonumber(ARGV[10]) then return 'early' end
local number = redis.call('HINCRBY', request, 'decisions', 1)
redis.call('HSET', request, 'by:' .. ARGV[2], number, 'decision:' .. number, ARGV[4], 'seal:' .. number, ARGV[6])
redis.call('HSET', request, 'state', 'approved', 'ended', ARGV[5])
redis.call('HDEL', KEYS[2], plan)
redis.call('ZREM', KEYS[3], ARGV[1])
return 'ok'
