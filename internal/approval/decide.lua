-- Takes one person's answer to a request.
-- KEYS[1] hash of the request   KEYS[2] hash: incident and digest → pending request   KEYS[3] sorted set of pending requests
-- ARGV[1] ID   ARGV[2] person, normalised   ARGV[3] "approve" or "reject"   ARGV[4] digest that the person saw
-- ARGV[5] the decision as JSON   ARGV[6] now, Unix ms   ARGV[7] seal of ARGV[5]
-- ARGV[8] expiry, Unix ms   ARGV[9] requester, normalised   ARGV[10] digest   ARGV[11] approvals needed: of the request as it was sealed
-- Returns "ok", "notfound", "notpending", "expired", "self", "twice" or "digest". Only "ok" changes anything.
local request = KEYS[1]
local seen = redis.call('HMGET', request, 'state', 'plan')
local state, plan = seen[1], seen[2]
if not state then return 'notfound' end
if state ~= 'pending' then return 'notpending' end
if tonumber(ARGV[6]) >= tonumber(ARGV[8]) then return 'expired' end
if ARGV[2] == ARGV[9] then return 'self' end
if redis.call('HEXISTS', request, 'by:' .. ARGV[2]) == 1 then return 'twice' end
if ARGV[4] ~= ARGV[10] then return 'digest' end
local number = redis.call('HINCRBY', request, 'decisions', 1)
redis.call('HSET', request, 'by:' .. ARGV[2], number, 'decision:' .. number, ARGV[5], 'seal:' .. number, ARGV[7])
local became = 'rejected'
if ARGV[3] == 'approve' then
  if redis.call('HINCRBY', request, 'approvals', 1) < tonumber(ARGV[11]) then return 'ok' end
  became = 'approved'
end
redis.call('HSET', request, 'state', became, 'ended', ARGV[6])
redis.call('HDEL', KEYS[2], plan)
redis.call('ZREM', KEYS[3], ARGV[1])
return 'ok'
