-- Ends a request without a decision. Ending it again in the same way changes nothing.
-- KEYS[1] hash of the request   KEYS[2] hash: incident and digest → pending request   KEYS[3] sorted set of pending requests
-- ARGV[1] ID   ARGV[2] "withdrawn", "expired" or "voided"   ARGV[3] person, normalised (withdrawn only)   ARGV[4] now, Unix ms   ARGV[5] why
-- Returns "ok", "notfound", "notpending", "notrequester" or "notdue". Only "ok" changes anything.
local request = KEYS[1]
local seen = redis.call('HMGET', request, 'state', 'expires', 'requester', 'plan')
local state, expires, requester, plan = seen[1], seen[2], seen[3], seen[4]
if not state then return 'notfound' end
if ARGV[2] == 'withdrawn' and (requester == '' or requester ~= ARGV[3]) then return 'notrequester' end
if state == ARGV[2] then return 'ok' end
if state ~= 'pending' and not (ARGV[2] == 'voided' and state == 'approved') then return 'notpending' end
if ARGV[2] == 'expired' and tonumber(ARGV[4]) < tonumber(expires) then return 'notdue' end
redis.call('HSET', request, 'state', ARGV[2], 'ended', ARGV[4], 'why', ARGV[5])
if state == 'pending' then
  redis.call('HDEL', KEYS[2], plan)
  redis.call('ZREM', KEYS[3], ARGV[1])
end
return 'ok'
