-- Stores the total of a connector in a minute that has none yet.
-- KEYS[1] stream: one entry "<minute in ms>-0" with the fields at and total for each minute
-- ARGV[1] beginning of the minute in ms   ARGV[2] when it was seen, in ms   ARGV[3] total
-- ARGV[4] what began before it, in ms, is dropped   ARGV[5] how long to keep the stream, in ms
-- Returns 1 when stored, 0 when the minute or a later one is there.
local last = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)
if last[1] and tonumber(string.match(last[1][1], '^%d+')) >= tonumber(ARGV[1]) then return 0 end
redis.call('XADD', KEYS[1], 'MINID', ARGV[4], ARGV[1] .. '-0', 'at', ARGV[2], 'total', ARGV[3])
redis.call('PEXPIRE', KEYS[1], ARGV[5])
return 1
