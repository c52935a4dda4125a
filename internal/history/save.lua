-- Stores what became of a connector, unless another replica has stored something since it was read.
-- KEYS[1] string: head   KEYS[2] list: versions of its configuration   KEYS[3] string: first trace since it was healthy
-- ARGV[1] head as read ("" for none)   ARGV[2] new head   ARGV[3] how long to keep all three, in ms
-- ARGV[4] "push" a version, "set" the last one, or ""   ARGV[5] that version   ARGV[6] how many versions to keep
-- ARGV[7] "keep" the trace, "drop" the one there is, or ""   ARGV[8] the trace
-- Returns 1 when stored, 0 when another was faster.
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
if ARGV[4] == 'set' and redis.call('LLEN', KEYS[2]) > 0 then
  redis.call('LSET', KEYS[2], -1, ARGV[5])
elseif ARGV[4] ~= '' then
  redis.call('RPUSH', KEYS[2], ARGV[5])
  redis.call('LTRIM', KEYS[2], -tonumber(ARGV[6]), -1)
end
if ARGV[7] == 'keep' then
  redis.call('SET', KEYS[3], ARGV[8])
elseif ARGV[7] == 'drop' then
  redis.call('DEL', KEYS[3])
end
redis.call('PEXPIRE', KEYS[2], ARGV[3])
redis.call('PEXPIRE', KEYS[3], ARGV[3])
return 1
