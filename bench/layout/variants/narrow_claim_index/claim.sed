s/ORDER BY c.run_at, c.id/ORDER BY c.run_at/
