-- What kind of server this is, of whom it is known that he offers it, and what of it a worker depends on. One row: what it calls itself, its kind, whether
-- it suspends itself, its clock (epoch). Source: roles and settings that these services make in each of their servers.
SELECT CASE WHEN version() ~ '^PostgreSQL [0-9.]+' THEN substring(version() FROM '^PostgreSQL [0-9.]+') ELSE pg_catalog.left(version(), 80) END,
       CASE WHEN EXISTS (SELECT FROM pg_roles r WHERE r.rolname = 'databricks_superuser') THEN 'Lakebase'
            WHEN current_setting('neon.timeline_id', true) <> '' OR EXISTS (SELECT FROM pg_roles r WHERE r.rolname = 'neon_superuser') THEN 'Neon'
            WHEN EXISTS (SELECT FROM pg_roles r WHERE r.rolname = 'supabase_admin') THEN 'Supabase'
            WHEN EXISTS (SELECT FROM pg_proc p WHERE p.proname = 'aurora_version') THEN 'Amazon Aurora'
            WHEN EXISTS (SELECT FROM pg_roles r WHERE r.rolname = 'rdsadmin') THEN 'Amazon RDS'
            WHEN EXISTS (SELECT FROM pg_roles r WHERE r.rolname = 'azure_pg_admin') THEN 'Azure Database'
            WHEN EXISTS (SELECT FROM pg_roles r WHERE r.rolname = 'alloydbsuperuser') THEN 'AlloyDB'
            WHEN EXISTS (SELECT FROM pg_roles r WHERE r.rolname = 'cloudsqlsuperuser') THEN 'Cloud SQL'
            ELSE '' END,
       pg_backend_pid(), extract(epoch FROM clock_timestamp())
