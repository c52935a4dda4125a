-- Stores the body of an incident and one of its rows, unless either has changed since it was read.
-- KEYS[1] hash of the incident   KEYS[2] sorted set of open incidents by number
-- ARGV[1] ID   ARGV[2] number   ARGV[3] body as read   ARGV[4] new body   ARGV[5] "open" or "over"
-- ARGV[6] field of the row, "" for none   ARGV[7] row as read ("" for none)   ARGV[8] new row
-- Returns 1 when stored, 0 when something changed meanwhile.
if redis.call('HGET', KEYS[1], 'body') ~= ARGV[3] then return 0 end
if ARGV[6] ~= '' then
  if (redis.call('HGET', KEYS[1], ARGV[6]) or '') ~= ARGV[7] then return 0 end
  redis.call('HSET', KEYS[1], ARGV[6], ARGV[8])
end
redis.call('HSET', KEYS[1], 'body', ARGV[4])
if ARGV[5] == 'open' then
  redis.call('ZADD', KEYS[2], ARGV[2], ARGV[1])
else
  redis.call('ZREM', KEYS[2], ARGV[1])
end
return 1
