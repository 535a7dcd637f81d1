// What the commands ask the database: all of their SQL, read-only but for the calls of the schema's functions.
// Times come as seconds since 1970; JSON is made by Postgres, so that a number of any size stays what it is.
#pragma once

namespace dormouse::cli::queries {

/// $1 status, $2 task, $3 queue, $4 created since (epoch), $5 limit, $6 archived ones too; null: any. Newest first by
/// id, which is ordered by time: the primary key of runs_live and the index runs_finished_id, merged. Partitions that
/// the status rules out are pruned.
inline constexpr const char* runs = R"sql(
SELECT r.id, r.status, r.task, r.queue, r.attempts, r.max_attempts,
       extract(epoch FROM r.created_at), extract(epoch FROM r.run_at), extract(epoch FROM r.started_at),
       extract(epoch FROM r.finished_at), extract(epoch FROM clock_timestamp()),
       coalesce(r.error ->> 'message', r.error #>> '{}'), r.progress, r.progress_text,
       json_build_object('id', r.id, 'task', r.task, 'queue', r.queue, 'status', r.status, 'priority', r.priority,
                         'created_at', r.created_at, 'run_at', r.run_at, 'started_at', r.started_at,
                         'finished_at', r.finished_at, 'attempts', r.attempts, 'max_attempts', r.max_attempts,
                         'worker', r.worker, 'progress', r.progress, 'progress_text', r.progress_text, 'key', r.key,
                         'error', r.error, 'archived_at', r.archived_at)
  FROM dormouse.runs r
 WHERE ($1::text IS NULL OR r.status = $1::text)
   AND ($2::text IS NULL OR r.task = $2::text)
   AND ($3::text IS NULL OR r.queue = $3::text)
   AND ($4::float8 IS NULL OR r.created_at >= to_timestamp($4::float8))
   AND ($6::boolean OR r.archived_at IS NULL)
 ORDER BY r.id DESC
 LIMIT $5::int)sql";

/// The ids from $1 to $2, at most four: who typed a piece of an id wants one. The same indexes.
inline constexpr const char* find = R"sql(
SELECT DISTINCT ON (r.id) r.id, r.queue FROM dormouse.runs r WHERE r.id >= $1::uuid AND r.id <= $2::uuid
 ORDER BY r.id, r.finished_at DESC NULLS FIRST LIMIT 4)sql";

/// $1 id. An id that was used again after its first run had finished: the live one.
inline constexpr const char* show = R"sql(
SELECT r.id, r.task, r.queue, r.status, r.priority, r.attempts, r.max_attempts,
       extract(epoch FROM r.created_at), extract(epoch FROM r.run_at), extract(epoch FROM r.started_at),
       extract(epoch FROM r.finished_at), extract(epoch FROM r.lease_until), extract(epoch FROM clock_timestamp()),
       r.timeout_ms, r.worker, r.key, r.traceparent, r.progress, r.progress_text, r.payload, r.result,
       r.error ->> 'class', coalesce(r.error ->> 'message', r.error #>> '{}'),
       json_build_object('id', r.id, 'task', r.task, 'queue', r.queue, 'status', r.status, 'priority', r.priority,
                         'created_at', r.created_at, 'run_at', r.run_at, 'started_at', r.started_at,
                         'finished_at', r.finished_at, 'archived_at', r.archived_at, 'lease_until', r.lease_until, 'attempts', r.attempts,
                         'max_attempts', r.max_attempts, 'timeout_ms', r.timeout_ms, 'worker', r.worker, 'key', r.key,
                         'traceparent', r.traceparent, 'progress', r.progress, 'progress_text', r.progress_text,
                         'payload', r.payload, 'result', r.result, 'error', r.error,
                         'attempt_log', coalesce((SELECT json_agg(json_build_object(
                              'attempt', a.attempt, 'outcome', a.outcome, 'started_at', a.started_at, 'ended_at', a.ended_at,
                              'worker', a.worker, 'fence', a.fence, 'exit_code', a.exit_code, 'signal', a.signal,
                              'cpu_ms', a.cpu_ms, 'peak_memory_bytes', a.peak_memory_bytes, 'error', a.error,
                              'progress', a.progress, 'progress_text', a.progress_text)
                              ORDER BY a.attempt) FROM dormouse.attempts a WHERE a.run_id = r.id), '[]')),
       extract(epoch FROM r.archived_at)
  FROM dormouse.runs r WHERE r.id = $1::uuid
 ORDER BY r.finished_at DESC NULLS FIRST LIMIT 1)sql";

/// $1 id. The attempts of one run, oldest first.
inline constexpr const char* attempts = R"sql(
SELECT a.attempt, a.outcome, extract(epoch FROM a.started_at), extract(epoch FROM a.ended_at - a.started_at), a.exit_code,
       a.signal, a.cpu_ms, a.peak_memory_bytes, a.worker, coalesce(a.error ->> 'message', a.error #>> '{}'),
       a.error ->> 'class', a.progress
  FROM dormouse.attempts a WHERE a.run_id = $1::uuid ORDER BY a.attempt)sql";

/// $1 id. How a run stands, for whoever follows it.
inline constexpr const char* run_now = R"sql(
SELECT r.status, r.task, (SELECT count(*) FROM dormouse.attempts a WHERE a.run_id = r.id), r.progress, r.progress_text,
       extract(epoch FROM r.run_at), extract(epoch FROM clock_timestamp()), r.result, r.error,
       coalesce(r.error ->> 'message', r.error #>> '{}')
  FROM dormouse.runs r WHERE r.id = $1::uuid
 ORDER BY r.finished_at DESC NULLS FIRST LIMIT 1)sql";

/// $1 id, $2 attempt and $3 line after which to begin, $4 only this attempt or null.
inline constexpr const char* lines = R"sql(
SELECT coalesce(l.attempt, 0), l.line, extract(epoch FROM l.said_at), l.level, l.text,
       json_build_object('attempt', l.attempt, 'line', l.line, 'said_at', l.said_at, 'level', l.level, 'text', l.text)
  FROM dormouse.logs l
 WHERE l.run_id = $1::uuid AND (coalesce(l.attempt, 0), l.line) > ($2::bigint, $3::int)
   AND ($4::bigint IS NULL OR l.attempt = $4::bigint)
 ORDER BY 1, 2)sql";

/// $1 id. From here on its news are told.
inline constexpr const char* watch = "SELECT dormouse.watch($1::uuid)";

inline constexpr const char* queues = R"sql(
SELECT queue, due, put_off, running, retrying, blocked, extract(epoch FROM oldest_due_at), extract(epoch FROM next_run_at)
  FROM dormouse.queue_stats ORDER BY queue)sql";

/// The last worker of each pool on each host.
inline constexpr const char* workers = R"sql(
SELECT DISTINCT ON (pool, host)
       pool, host, pid, pid_start, boot_id, array_to_json(queues), state, extract(epoch FROM started_at),
       extract(epoch FROM left_at), runs, version, coalesce(pid_namespace, 0)
  FROM dormouse.workers ORDER BY pool, host, started_at DESC)sql";

/// The 20 that wait longest, with the number of all of them.
inline constexpr const char* stuck = R"sql(
SELECT id, queue, task, status, reason, extract(epoch FROM coalesce(started_at, run_at)), count(*) OVER ()
  FROM dormouse.stuck_runs ORDER BY run_at LIMIT 20)sql";

inline constexpr const char* now = "SELECT extract(epoch FROM clock_timestamp())";

/// $1 task, $2 payload, $3 queue, $4 priority, $5 run_at (epoch), $6 delay (ms), $7 key, $8 max_attempts, $9
/// timeout (ms), $10 watched. Commits by itself.
inline constexpr const char* enqueue = R"sql(
SELECT dormouse.enqueue(task => $1::text, payload => $2::jsonb, queue => $3::text, priority => $4::int,
                        run_at => to_timestamp($5::float8), delay => $6::bigint * interval '1 ms', key => $7::text,
                        max_attempts => $8::int, timeout => $9::bigint * interval '1 ms', watched => $10::boolean))sql";

/// Whether this login may INSERT, and the time of this transaction (epoch).
inline constexpr const char* may_copy =
    "SELECT has_table_privilege('dormouse.runs', 'INSERT'), extract(epoch FROM now())";
inline constexpr const char* copy_runs =
    "COPY dormouse.runs (task, payload, queue, priority, run_at, max_attempts, timeout_ms, traceparent) FROM STDIN";
/// $1 a JSON array of runs. In the order of their keys, so that two with the same ones do not block each other.
inline constexpr const char* enqueue_lines = R"sql(
SELECT count(dormouse.enqueue(task => r.task, payload => r.payload, queue => r.queue, priority => r.priority, run_at => r.run_at,
                              key => r.key, max_attempts => r.max_attempts, timeout => r.timeout_ms * interval '1 ms',
                              traceparent => r.traceparent))
  FROM (SELECT * FROM jsonb_to_recordset($1::jsonb) AS l (line bigint, task text, payload jsonb, queue text, priority int,
               run_at timestamptz, key text, max_attempts int, timeout_ms bigint, traceparent text)
         ORDER BY l.task, l.key, l.line) r)sql";

/// $1 id. How a run stands, also for a role that may only enqueue.
inline constexpr const char* result = R"sql(
SELECT status, result, error, coalesce(error ->> 'message', error #>> '{}'), attempts FROM dormouse.result($1::uuid))sql";

/// What an operation with a filter means: $1 statuses, $2 task, $3 queue, $4 created before (epoch). One row for each
/// status, task and queue, the most first, with the number of all.
inline constexpr const char* matching = R"sql(
SELECT r.status, r.task, r.queue, count(*), extract(epoch FROM min(r.created_at)), sum(count(*)) OVER ()
  FROM dormouse.runs r
 WHERE r.status = ANY ($1::text[]) AND r.archived_at IS NULL AND r.created_at < to_timestamp($4::float8)
   AND ($2::text IS NULL OR r.task = $2::text)
   AND ($3::text IS NULL OR r.queue = $3::text)
 GROUP BY r.status, r.task, r.queue ORDER BY count(*) DESC, r.status, r.task, r.queue)sql";

/// $1 id, $2 reason.
inline constexpr const char* cancel = "SELECT dormouse.cancel($1::uuid, $2::text)";
inline constexpr const char* retry = "SELECT dormouse.retry($1::uuid), $2::text";
inline constexpr const char* archive = "SELECT dormouse.archive($1::uuid, $2::text)";

/// $1 status, $2 task, $3 queue, $4 created before (epoch), $5 limit, $6 after this id, $7 reason.
inline constexpr const char* cancel_runs = R"sql(
SELECT changed, locked, refused, next
  FROM dormouse.cancel_runs($1::text, $2::text, $3::text, NULL, to_timestamp($4::float8), $5::int, $6::uuid, $7::text))sql";
inline constexpr const char* retry_runs = R"sql(
SELECT changed, locked, refused, next, $7::text
  FROM dormouse.retry_runs($1::text, $2::text, $3::text, NULL, to_timestamp($4::float8), $5::int, $6::uuid))sql";
inline constexpr const char* archive_runs = R"sql(
SELECT changed, locked, refused, next
  FROM dormouse.archive_runs($1::text, $2::text, $3::text, NULL, to_timestamp($4::float8), $5::int, $6::uuid, $7::text))sql";

/// $1 those that have left as well, $2 and $3 of this host or this boot, or null. The newest first.
inline constexpr const char* all_workers = R"sql(
SELECT w.id, w.pool, w.host, w.pid, w.pid_start, w.boot_id, w.unit, w.version, w.state, w.condition, w.evidence, w.runs,
       extract(epoch FROM w.started_at), extract(epoch FROM w.left_at), extract(epoch FROM w.lease_until),
       extract(epoch FROM clock_timestamp()), array_to_json(w.queues), coalesce(w.pid_namespace, 0)
  FROM dormouse.workers w
 WHERE ($1::boolean OR w.condition <> 'left') AND ($2::text IS NULL OR w.host = $2::text OR w.boot_id::text = $3::text)
 ORDER BY w.started_at DESC, w.id)sql";

/// $1 worker, $2 host, $3 pid, $4 its start, $5 boot id: only while the row says the same. $6: only when its leases
/// have ended.
inline constexpr const char* release_worker = R"sql(
SELECT released, locked FROM dormouse.release_worker($1::uuid, $2::text, $3::int, $4::bigint, $5::uuid, $6::boolean))sql";

}  // namespace dormouse::cli::queries
