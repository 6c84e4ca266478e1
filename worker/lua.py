"""Every transition of a job, as Lua: one call each, compare-and-set, on the server's clock.

Keys, all under `scanline:`

    job:{id}            hash: request, state, attempt, counters, result, error, embedded (vectors of the condition)
    job:{id}:samples    hash: rows:{k} -> rows drawn of sample k, those of all sweeps of a Markov chain;
                        result:{k} -> its result (JSON),
                        chain:{k} -> what an unfinished chain needs beside its canvas (JSON)
    job:{id}:canvas:{k} string: the finished rows of sample k; of a Markov chain all of its present canvas
    job:{id}:map:{k}    string: per-sub-pixel scores of image k
    job:{id}:upload:{k}, job:{id}:mask
    job:{id}:events     stream: what a client sees
    jobs, state:{s}     sorted sets of ids by order of creation: all, and those in state s
    queue:{model}       the queued ones of one bundle; `queues` is the set of bundles that ever had one
    leases, expiry      sorted sets of ids by the time (ms) when the lease of a running job ends, when a job is dropped
    tomb:{id}           a job that was removed; idem:{key} -> id and fingerprint
    workers             sorted set of workers by heartbeat (ms); worker:{name} -> report, while it is alive
    bytes, sequence     counters

Keys are built inside the scripts, so this is for one server, not for Redis Cluster.
"""

from worker.lua_prelude import PRELUDE

CREATE = (
    PRELUDE
    + """
local id, request, model, n, row_pixels, total, bytes = unpack(ARGV, 1, 7)
local max_queue, max_bytes, lifetime_ms = tonumber(ARGV[8]), tonumber(ARGV[9]), tonumber(ARGV[10])
local idempotency, fingerprint, mask, key = ARGV[11], ARGV[12], ARGV[13], job_key(ARGV[1])

if redis.call('EXISTS', key) == 1 then return {'created', id, record(id)} end  -- a retry after a lost reply
if idempotency ~= '' then
  local bound = redis.call('HMGET', P .. 'idem:' .. idempotency, 'id', 'fingerprint')
  if bound[1] then return {bound[2] == fingerprint and 'bound' or 'mismatch', bound[1], record(bound[1])} end
end
if redis.call('ZCARD', P .. 'state:queued') >= max_queue then return {'queue_full', '', ''} end
if (tonumber(redis.call('GET', P .. 'bytes')) or 0) + tonumber(bytes) > max_bytes then return {'store_full', '', ''} end

local now, sequence = now_ms(), redis.call('INCR', P .. 'sequence')
redis.call('HSET', key, 'request', request, 'model', model, 'n', n, 'row_pixels', row_pixels,
  'total', total, 'bytes', bytes, 'idempotency', idempotency, 'sequence', sequence, 'created_at', now,
  'expires_at', now + lifetime_ms, 'attempt', 0, 'fruitless', 0, 'done', 0, 'cancel', 0, 'profile', '',
  'uploads', #ARGV - 13)
redis.call('INCRBY', P .. 'bytes', bytes)
redis.call('ZADD', P .. 'jobs', sequence, id)
redis.call('ZADD', P .. 'expiry', now + lifetime_ms, id)
redis.call('SADD', P .. 'queues', model)
if mask ~= '' then redis.call('SET', key .. ':mask', mask) end
for k = 14, #ARGV do redis.call('SET', key .. ':upload:' .. (k - 14), ARGV[k]) end
if idempotency ~= '' then
  redis.call('HSET', P .. 'idem:' .. idempotency, 'id', id, 'fingerprint', fingerprint)
end
enter(id, 'queued')
emit(id, 'queued', '{"position":' .. redis.call('ZRANK', P .. 'queue:' .. model, id) .. '}')
return {'created', id, record(id)}
"""
)

READ = (
    PRELUDE
    + """
return record(ARGV[1])
"""
)

OUTLINES = (
    PRELUDE
    + """
local found = {}
for i, id in ipairs(ARGV) do found[i] = outline(id) end
return found
"""
)

REPORTS = (
    PRELUDE
    + """
local found = {}
for _, worker in ipairs(redis.call('ZRANGE', P .. 'workers', 0, -1)) do
  local report = redis.call('GET', P .. 'worker:' .. worker)
  if report then found[#found + 1] = report end
end
return found
"""
)

CANCEL = (
    PRELUDE
    + """
local id, lifetime_ms = ARGV[1], tonumber(ARGV[2])
local state = redis.call('HGET', job_key(id), 'state')
if state == 'queued' or state == 'running' then redis.call('HSET', job_key(id), 'cancel', 1) end
if state == 'queued' then finish(id, 'canceled', lifetime_ms, '{}') end
return 1
"""
)

FAIL_QUEUED = (
    PRELUDE
    + """
local id, lifetime_ms, problem = ARGV[1], tonumber(ARGV[2]), ARGV[3]
if redis.call('HGET', job_key(id), 'state') == 'queued' then finish(id, 'failed', lifetime_ms, problem) end
return 1
"""
)

DELETE = (
    PRELUDE
    + """
local id, lifetime_ms = ARGV[1], tonumber(ARGV[2])
local state = redis.call('HGET', job_key(id), 'state')
if not state then return redis.call('EXISTS', P .. 'tomb:' .. id) end
if state == 'queued' or state == 'running' then finish(id, 'canceled', lifetime_ms, '{}') end
remove(id, lifetime_ms)
return 1
"""
)

CLAIM = (
    PRELUDE
    + """
local id, worker, token, profile = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local lease_ms, lifetime_ms, max_fruitless = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])
local key, now = job_key(ARGV[1]), now_ms()
local job = redis.call('HMGET', key, 'state', 'token', 'attempt', 'profile', 'n', 'row_pixels')
local function claimed()
  local uploads, canvases = {}, {}
  for k = 0, (redis.call('HGET', key, 'uploads') or job[5]) - 1 do
    uploads[k + 1] = redis.call('GET', key .. ':upload:' .. k)
  end
  for k = 0, job[5] - 1 do canvases[k + 1] = redis.call('GET', key .. ':canvas:' .. k) end
  return {'claimed', record(id), uploads, redis.call('GET', key .. ':mask'), canvases}
end

if job[1] == 'running' then
  if job[2] == token then return claimed() end  -- the caller's retry after a lost reply
  if tonumber(redis.call('ZSCORE', P .. 'leases', id)) > now then return {'leased', ''} end
  if redis.call('HGET', key, 'cancel') == '1' then
    finish(id, 'canceled', lifetime_ms, '{}')
    return {'ended', ''}
  end
elseif job[1] ~= 'queued' then
  return {'ended', ''}
end

if redis.call('HINCRBY', key, 'fruitless', 1) > max_fruitless then
  finish(id, 'failed', lifetime_ms,
    '{"code":"worker_lost","message":"' .. max_fruitless .. ' attempts ended without a new row"}')
  return {'ended', ''}
end
if job[4] ~= '' and job[4] ~= profile then
  -- Another numeric profile would go on with other bits: unfinished samples begin again.
  for k = 0, job[5] - 1 do
    local rows = redis.call('HGET', key .. ':samples', 'rows:' .. k)
    if rows and redis.call('HEXISTS', key .. ':samples', 'result:' .. k) == 0 then
      redis.call('HINCRBY', key, 'done', -rows * job[6])
      redis.call('HDEL', key .. ':samples', 'rows:' .. k, 'chain:' .. k)
      redis.call('UNLINK', key .. ':canvas:' .. k)
    end
  end
end
local attempt = redis.call('HINCRBY', key, 'attempt', 1)
enter(id, 'running')
redis.call('HSET', key, 'worker', worker, 'token', token, 'profile', profile)
redis.call('HSETNX', key, 'started_at', now)
redis.call('ZADD', P .. 'leases', now + lease_ms, id)
if attempt == 1 then
  emit(id, 'started', '{"attempt":1}')
else
  emit(id, 'resumed', '{"attempt":' .. attempt .. ',"from_pixel":' .. redis.call('HGET', key, 'done') .. '}')
end
return claimed()
"""
)

KEEP_EMBEDDED = (
    PRELUDE
    + """
local key, job = job_key(ARGV[1]), redis.call('HMGET', job_key(ARGV[1]), 'state', 'attempt')
if job[1] ~= 'running' or job[2] ~= ARGV[2] then return false end
redis.call('HSETNX', key, 'embedded', ARGV[3])
return redis.call('HGET', key, 'embedded')
"""
)

FLUSH = (
    PRELUDE
    + """
-- id, attempt, lease_ms (0: do not renew), lifetime_ms, rows (JSON of the event), next state, its data,
-- number of rows, (sample, row, bytes)*, number of sweeps, (sample, rows, JSON, canvas)*,
-- number of results, (sample, JSON, pixels scored, map)*
local id, attempt, lease_ms, lifetime_ms = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local rows_json, next_state, data, key = ARGV[5], ARGV[6], ARGV[7], job_key(ARGV[1])
local job = redis.call('HMGET', key, 'state', 'attempt', 'cancel', 'row_pixels', 'total', 'finished_attempt')

if job[6] == attempt then return {'kept', 0} end  -- the caller's retry after a lost reply
if job[1] ~= 'running' or job[2] ~= attempt then return {'lost', 0} end

local cursor, drawn, scored = 9, 0, 0
for _ = 1, tonumber(ARGV[8]) do
  local sample, row, bytes = ARGV[cursor], ARGV[cursor + 1], ARGV[cursor + 2]
  local have = tonumber(redis.call('HGET', key .. ':samples', 'rows:' .. sample)) or 0
  if tonumber(row) == have then
    redis.call('APPEND', key .. ':canvas:' .. sample, bytes)
    redis.call('HINCRBY', key .. ':samples', 'rows:' .. sample, 1)
    drawn = drawn + 1
  elseif tonumber(row) > have then
    -- The server came back without its last writes: go on from what it has, with a new attempt.
    redis.call('HINCRBY', key, 'done', drawn * job[4])
    return {'lost', 0}
  end
  cursor = cursor + 3
end

cursor = cursor + 1
for _ = 1, tonumber(ARGV[cursor - 1]) do
  local sample, rows, json, canvas = ARGV[cursor], tonumber(ARGV[cursor + 1]), ARGV[cursor + 2], ARGV[cursor + 3]
  local have = tonumber(redis.call('HGET', key .. ':samples', 'rows:' .. sample)) or 0
  if rows > have then
    redis.call('SET', key .. ':canvas:' .. sample, canvas)
    redis.call('HSET', key .. ':samples', 'rows:' .. sample, rows, 'chain:' .. sample, json)
    drawn = drawn + rows - have
  end
  cursor = cursor + 4
end

local fresh = {}
local count = tonumber(ARGV[cursor])
cursor = cursor + 1
for _ = 1, count do
  local sample, json, pixels, map = ARGV[cursor], ARGV[cursor + 1], tonumber(ARGV[cursor + 2]), ARGV[cursor + 3]
  if redis.call('HSETNX', key .. ':samples', 'result:' .. sample, json) == 1 then
    if map ~= '' then redis.call('SET', key .. ':map:' .. sample, map) end
    redis.call('HDEL', key .. ':samples', 'chain:' .. sample)
    scored = scored + pixels
    fresh[#fresh + 1] = json
  end
  cursor = cursor + 4
end

if drawn > 0 or #fresh > 0 then
  local done = redis.call('HINCRBY', key, 'done', drawn * job[4] + scored)
  redis.call('HSET', key, 'fruitless', 0)
  emit(id, 'progress', '{"done":' .. done .. ',"total":' .. job[5] .. ',"rows":' .. rows_json .. '}')
  for _, json in ipairs(fresh) do emit(id, 'sample', json) end
end
if next_state == '' then
  if lease_ms > 0 then redis.call('ZADD', P .. 'leases', 'XX', now_ms() + lease_ms, id) end
else
  redis.call('HSET', key, 'finished_attempt', attempt)
  if next_state == 'queued' then
    -- An orderly stop is not a failed attempt.
    if tonumber(redis.call('HGET', key, 'fruitless')) > 0 then redis.call('HINCRBY', key, 'fruitless', -1) end
    leave_running(id, lifetime_ms)
  else
    finish(id, next_state, lifetime_ms, data)
  end
end
return {'kept', tonumber(job[3])}
"""
)

REAP = (
    PRELUDE
    + """
-- Frees jobs whose lease has ended and drops expired ones, at most once per interval over all workers.
local interval_ms, lifetime_ms, now = ARGV[1], tonumber(ARGV[2]), now_ms()
if not redis.call('SET', P .. 'reaper', 1, 'NX', 'PX', interval_ms) then return {-1, 0} end
local freed, dropped = 0, 0
for _, id in ipairs(redis.call('ZRANGEBYSCORE', P .. 'leases', '-inf', now, 'LIMIT', 0, 100)) do
  leave_running(id, lifetime_ms)
  freed = freed + 1
end
for _, id in ipairs(redis.call('ZRANGEBYSCORE', P .. 'expiry', '-inf', now, 'LIMIT', 0, 100)) do
  local state = redis.call('HGET', job_key(id), 'state')
  if state == 'running' then
    redis.call('ZADD', P .. 'expiry', now + lifetime_ms, id)
  elseif state == 'queued' then
    finish(id, 'failed', lifetime_ms,
      '{"code":"model_unavailable","message":"no worker took this job within its lifetime"}')
  else
    remove(id, lifetime_ms)
    dropped = dropped + 1
  end
end
return {freed, dropped}
"""
)

PUBLISH = (
    PRELUDE
    + """
local worker, report, ttl_ms, now = ARGV[1], ARGV[2], tonumber(ARGV[3]), now_ms()
redis.call('SET', P .. 'worker:' .. worker, report, 'PX', ttl_ms)
redis.call('ZADD', P .. 'workers', now, worker)
redis.call('ZREMRANGEBYSCORE', P .. 'workers', '-inf', now - ttl_ms)
"""
)
