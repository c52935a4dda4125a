-- Stores a run unless a newer lease holder has written before.
-- KEYS[1] hash run ID → JSON        KEYS[2] hash run ID → highest fencing token seen
-- ARGV[1] run ID   ARGV[2] JSON   ARGV[3] fencing token
-- Returns 1 when stored, 0 when fenced off.
local seen = tonumber(redis.call('HGET', KEYS[2], ARGV[1]) or '0')
local token = tonumber(ARGV[3])
if token < seen then
  return 0
end
redis.call('HSET', KEYS[2], ARGV[1], ARGV[3])
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
return 1
