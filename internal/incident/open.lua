-- Opens an incident, unless what its opener saw has changed.
-- KEYS[1] string, number of the last incident     KEYS[2] hash: pipeline and alert name → newest incident
-- KEYS[3] sorted set of all incidents by number   KEYS[4] sorted set of open incidents by number
-- KEYS[5] hash of the new incident                KEYS[6] hash of the newest incident so far (KEYS[5] when there is none)
-- ARGV[1] number as seen   ARGV[2] field of KEYS[2]   ARGV[3] newest incident as seen ("" for none)   ARGV[4] its body as seen
-- ARGV[5] ID of the new incident   ARGV[6] its body   ARGV[7] field of its first row   ARGV[8] the row
-- Returns 1 when opened, 0 when something changed meanwhile.
if (redis.call('GET', KEYS[1]) or '0') ~= ARGV[1] then return 0 end
if (redis.call('HGET', KEYS[2], ARGV[2]) or '') ~= ARGV[3] then return 0 end
if ARGV[3] ~= '' and redis.call('HGET', KEYS[6], 'body') ~= ARGV[4] then return 0 end
local number = redis.call('INCR', KEYS[1])
redis.call('HSET', KEYS[5], 'body', ARGV[6], ARGV[7], ARGV[8])
redis.call('HSET', KEYS[2], ARGV[2], ARGV[5])
redis.call('ZADD', KEYS[3], number, ARGV[5])
redis.call('ZADD', KEYS[4], number, ARGV[5])
return 1
