-- Back to when runs_foreign.sql looks, which looks at $1 of each kind (epoch); null: at all. Indexes as there.
SELECT extract(epoch FROM greatest(
    (SELECT o.created_at FROM dormouse.runs o
      WHERE o.status IN ('queued', 'running', 'retry', 'blocked') AND (o.id >= '04000000-0000-0000-0000-000000000000'::uuid OR pg_catalog.get_byte(pg_catalog.uuid_send(o.id), 6) NOT BETWEEN 112 AND 127)
      ORDER BY o.created_at DESC OFFSET $1::bigint LIMIT 1),
    (SELECT s.finished_at FROM dormouse.strays s ORDER BY s.finished_at DESC OFFSET $1::bigint LIMIT 1)))
