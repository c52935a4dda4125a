-- Stores a request that a standing approval agrees to, and takes one use of it.
-- KEYS[1] string, number of the last request   KEYS[2] hash of the new request   KEYS[3] hash of the standing approval
-- KEYS[4] sorted set of the incident's requests by number   KEYS[5] hash: incident and digest → pending request
-- ARGV[1] number of the last request as seen   ARGV[2] ID   ARGV[3] field of KEYS[5]   ARGV[4] the request as JSON   ARGV[5] digest
-- ARGV[6] now, Unix ms   ARGV[7] seal of ARGV[4]   ARGV[8] how often it may be used: of the standing approval as it was sealed
-- Returns "ok", "again" when another request was stored meanwhile, "waits" when people are asked for the same, "revoked" or
-- "usedup". Only "ok" changes anything.
if redis.call('HEXISTS', KEYS[5], ARGV[3]) == 1 then return 'waits' end
if redis.call('HEXISTS', KEYS[3], 'revoked') == 1 then return 'revoked' end
if tonumber(redis.call('HGET', KEYS[3], 'used') or '0') >= tonumber(ARGV[8]) then return 'usedup' end
if (redis.call('GET', KEYS[1]) or '0') ~= ARGV[1] then return 'again' end
local number = redis.call('INCR', KEYS[1])
redis.call('HINCRBY', KEYS[3], 'used', 1)
redis.call('HSET', KEYS[2], 'body', ARGV[4], 'seal', ARGV[7], 'state', 'approved', 'plan', ARGV[3], 'digest', ARGV[5],
  'requester', '', 'needed', '0', 'decisions', '0', 'approvals', '0', 'ended', ARGV[6])
redis.call('ZADD', KEYS[4], number, ARGV[2])
return 'ok'
