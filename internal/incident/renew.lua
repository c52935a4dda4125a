-- Keeps a lease for another while.
-- KEYS[1] string with "token owner" of the holder
-- ARGV[1] token and owner   ARGV[2] TTL in milliseconds
-- Returns 1, or 0 when the lease is another holder's or gone.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 1
