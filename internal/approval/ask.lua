-- Stores a request, unless the same plan waits for approval in the same incident already.
-- KEYS[1] string, number of the last request   KEYS[2] hash of the new request   KEYS[3] hash: incident and digest → pending request
-- KEYS[4] sorted set of pending requests by expiry   KEYS[5] sorted set of the incident's requests by number
-- ARGV[1] number of the last request as seen   ARGV[2] ID   ARGV[3] field of KEYS[3]   ARGV[4] the request as JSON   ARGV[5] digest
-- ARGV[6] requester, normalised ("" when the bot asks)   ARGV[7] approvals needed   ARGV[8] expiry, Unix ms   ARGV[9] seal of ARGV[4]
-- Returns "ok", "again" when another request was stored meanwhile, or the ID of the request that waits.
local waiting = redis.call('HGET', KEYS[3], ARGV[3])
if waiting then return waiting end
if (redis.call('GET', KEYS[1]) or '0') ~= ARGV[1] then return 'again' end
local number = redis.call('INCR', KEYS[1])
redis.call('HSET', KEYS[2], 'body', ARGV[4], 'seal', ARGV[9], 'state', 'pending', 'plan', ARGV[3], 'digest', ARGV[5],
  'requester', ARGV[6], 'needed', ARGV[7], 'expires', ARGV[8], 'decisions', '0', 'approvals', '0')
redis.call('HSET', KEYS[3], ARGV[3], ARGV[2])
redis.call('ZADD', KEYS[4], ARGV[8], ARGV[2])
redis.call('ZADD', KEYS[5], number, ARGV[2])
return 'ok'
