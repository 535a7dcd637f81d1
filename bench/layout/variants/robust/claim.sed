s/^   AND r.status IN ('queued', 'retry')$/   AND r.fence IS NULL/
