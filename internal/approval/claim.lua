-- Turns an approved request into the right of one run, once. The run that has it may ask again.
-- KEYS[1] hash of the request   (KEYS[2] and KEYS[3], the indexes of pending requests, are not used)
-- ARGV[1] digest of the plan about to run   ARGV[2] run   ARGV[3] now, Unix ms   ARGV[4] how long an approval holds, ms
-- ARGV[5] the claim as JSON   ARGV[6] seal of ARGV[5]
-- Returns "ok", "notfound", "digest", "used", "notapproved" or "expired". "ok" uses the request up; "expired" ends an
-- approval that has waited too long; nothing else changes anything.
local request = KEYS[1]
local seen = redis.call('HMGET', request, 'state', 'digest', 'run', 'ended')
local state, digest, run, ended = seen[1], seen[2], seen[3], seen[4]
if not state then return 'notfound' end
if ARGV[1] ~= digest then return 'digest' end
if state == 'used' then
  if run == ARGV[2] then return 'ok' end
  return 'used'
end
if state == 'expired' then return 'expired' end
if state ~= 'approved' then return 'notapproved' end
if tonumber(ARGV[3]) >= tonumber(ended) + tonumber(ARGV[4]) then
  redis.call('HSET', request, 'state', 'expired', 'ended', ARGV[3], 'why', 'approved, but not run in time')
  return 'expired'
end
redis.call('HSET', request, 'state', 'used', 'run', ARGV[2], 'claim', ARGV[5], 'claimseal', ARGV[6])
return 'ok'
