"""What the scripts of `worker.lua` share: functions that each of them begins with."""

PRELUDE = """
local P = 'scanline:'
local function job_key(id) return P .. 'job:' .. id end

local function now_ms()
  local t = redis.call('TIME')
  return t[1] * 1000 + math.floor(t[2] / 1000)
end

local function emit(id, kind, data)
  -- A trimmed reader refetches the job: every progress event carries the totals.
  redis.call('XADD', job_key(id) .. ':events', 'MAXLEN', '~', 1000, '*', 'type', kind, 'data', data)
end

local function enter(id, state)
  local job = redis.call('HMGET', job_key(id), 'state', 'sequence', 'model')
  if job[1] then redis.call('ZREM', P .. 'state:' .. job[1], id) end
  if job[1] == 'queued' then redis.call('ZREM', P .. 'queue:' .. job[3], id) end
  if job[1] == 'running' then redis.call('ZREM', P .. 'leases', id) end
  redis.call('ZADD', P .. 'state:' .. state, job[2], id)
  if state == 'queued' then redis.call('ZADD', P .. 'queue:' .. job[3], job[2], id) end
  redis.call('HSET', job_key(id), 'state', state)
end

local function finish(id, state, lifetime_ms, data)
  local now = now_ms()
  enter(id, state)
  redis.call('HSET', job_key(id), 'finished_at', now, 'expires_at', now + lifetime_ms)
  if state == 'succeeded' then redis.call('HSET', job_key(id), 'result', data) end
  if state == 'failed' then redis.call('HSET', job_key(id), 'error', data) end
  redis.call('ZADD', P .. 'expiry', now + lifetime_ms, id)
  emit(id, state, data)
end

local function leave_running(id, lifetime_ms)
  if redis.call('HGET', job_key(id), 'cancel') == '1' then return finish(id, 'canceled', lifetime_ms, '{}') end
  enter(id, 'queued')
  emit(id, 'queued', '{"attempt":' .. redis.call('HGET', job_key(id), 'attempt') .. '}')
end

-- A job as `job_record.read_record` takes it: two hashes, each as a list of names and values, and its place in line.
-- In an outline the second, of its samples, is empty.
local function outline(id)
  local key = job_key(id)
  local model = redis.call('HGET', key, 'model')
  return {redis.call('HGETALL', key), {}, model and redis.call('ZRANK', P .. 'queue:' .. model, id)}
end

local function record(id)
  local found = outline(id)
  found[2] = redis.call('HGETALL', job_key(id) .. ':samples')
  return found
end

local function remove(id, tomb_ms)
  local key = job_key(id)
  local job = redis.call('HMGET', key, 'state', 'model', 'bytes', 'idempotency', 'n', 'uploads')
  redis.call('DECRBY', P .. 'bytes', job[3])
  if job[4] ~= '' then redis.call('DEL', P .. 'idem:' .. job[4]) end
  redis.call('UNLINK', key, key .. ':samples', key .. ':mask')
  for k = 0, job[5] - 1 do
    redis.call('UNLINK', key .. ':canvas:' .. k, key .. ':map:' .. k)
  end
  for k = 0, (job[6] or job[5]) - 1 do redis.call('UNLINK', key .. ':upload:' .. k) end
  -- Readers of the stream still get the last event; the rows in it are gone at once.
  redis.call('XTRIM', key .. ':events', 'MAXLEN', 1)
  redis.call('PEXPIRE', key .. ':events', 10000)
  for _, index in ipairs({'jobs', 'leases', 'expiry', 'state:' .. job[1], 'queue:' .. job[2]}) do
    redis.call('ZREM', P .. index, id)
  end
  redis.call('SET', P .. 'tomb:' .. id, 1, 'PX', tomb_ms)
end
"""
