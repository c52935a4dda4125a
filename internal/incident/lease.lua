-- Takes a lease that nobody holds.
-- KEYS[1] string with "token owner" of the holder, with a TTL   KEYS[2] counter of tokens
-- ARGV[1] owner   ARGV[2] TTL in milliseconds   ARGV[3] TTL of the counter in milliseconds
-- Returns {token, "", 0}, or {0, holder, milliseconds left} when somebody holds it.
local held = redis.call('GET', KEYS[1])
if held then
  return {0, held, redis.call('PTTL', KEYS[1])}
end
local token = redis.call('INCR', KEYS[2])
redis.call('PEXPIRE', KEYS[2], ARGV[3])
redis.call('SET', KEYS[1], token .. ' ' .. ARGV[1], 'PX', ARGV[2])
return {token, '', 0}
