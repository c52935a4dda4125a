-- Gives a lease back. The counter of tokens stays, so that tokens keep growing.
-- KEYS[1] string with "token owner" of the holder
-- ARGV[1] token and owner
-- Returns 1, or 0 when the lease is another holder's or gone.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[1])
return 1
