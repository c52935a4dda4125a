-- Appends an event behind the head that its writer saw.
-- KEYS[1] stream: one entry "seq-0" with the fields hash and event for each event   KEYS[2] hash: idempotency key → seq
-- ARGV[1] hash of the head as seen ("" for none)   ARGV[2] seq of the new event   ARGV[3] its hash   ARGV[4] its JSON
-- ARGV[5] its idempotency key, or ""
-- Returns "ok", "behind" when the head has moved, or the seq of the event that has the key already.
if ARGV[5] ~= '' then
  local first = redis.call('HGET', KEYS[2], ARGV[5])
  if first then return first end
end
local last = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)
local hash = ''
if last[1] then hash = last[1][2][2] end
if hash ~= ARGV[1] then return 'behind' end
redis.call('XADD', KEYS[1], ARGV[2] .. '-0', 'hash', ARGV[3], 'event', ARGV[4])
if ARGV[5] ~= '' then redis.call('HSET', KEYS[2], ARGV[5], ARGV[2]) end
return 'ok'
