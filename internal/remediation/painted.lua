-- Remembers the newest change that a thread shows.
-- KEYS[1] string, a counter        ARGV[1] change number
-- Returns the number kept.
local was = tonumber(redis.call('GET', KEYS[1]) or '0')
local now = tonumber(ARGV[1])
if now > was then
  redis.call('SET', KEYS[1], ARGV[1])
  return now
end
return was
