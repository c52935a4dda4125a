-- Takes one person's answer to a request.
-- KEYS[1] hash of the request   KEYS[2] hash: incident and digest → pending request   KEYS[3] sorted set of pending requests
-- ARGV[1] ID   ARGV[2] person, normalised   ARGV[3] "approve" or "reject"   ARGV[4] digest that the person saw
-- ARGV[5] the decision as JSON   ARGV[6] now, Unix ms
-- Returns "ok", "notfound", "notpending", "expired", "self", "twice" or "digest". Only "ok" changes anything.
local request = KEYS[1]
local seen = redis.call('HMGET', request, 'state', 'expires', 'requester', 'digest', 'needed', 'plan')
local state, expires, requester, digest, needed, plan = seen[1], seen[2], seen[3], seen[4], seen[5], seen[6]
if not state then return 'notfound' end
if state ~= 'pending' then return 'notpending' end
if tonumber(ARGV[6]) >= tonumber(expires) then return 'expired' end
if ARGV[2] == requester then return 'self' end
if redis.call('HEXISTS', request, 'by:' .. ARGV[2]) == 1 then return 'twice' end
if ARGV[4] ~= digest then return 'digest' end
local number = redis.call('HINCRBY', request, 'decisions', 1)
redis.call('HSET', request, 'by:' .. ARGV[2], number, 'decision:' .. number, ARGV[5])
local became = 'rejected'
if ARGV[3] == 'approve' then
  if redis.call('HINCRBY', request, 'approvals', 1) < tonumber(needed) then return 'ok' end
  became = 'approved'
end
redis.call('HSET', request, 'state', became, 'ended', ARGV[6])
redis.call('HDEL', KEYS[2], plan)
redis.call('ZREM', KEYS[3], ARGV[1])
return 'ok'
