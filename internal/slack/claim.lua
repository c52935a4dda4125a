-- KEYS[1] cdcbot:{INC-42}:cards
-- ARGV[1] card; ARGV[2] the ref as the caller saw it, "" for none; ARGV[3] the claim
-- Returns 1 when the claim is stored, 0 when the ref is no longer what the caller saw.
local before = redis.call('HGET', KEYS[1], ARGV[1])
if not before then before = '' end
if before ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
return 1
