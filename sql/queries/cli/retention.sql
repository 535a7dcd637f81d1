-- The pools whose last step of retention was hindered, and by what. A small table, read whole.
SELECT r.pool, r.trouble FROM dormouse.retention r WHERE r.trouble IS NOT NULL ORDER BY r.pool
