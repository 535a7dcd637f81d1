-- Who gets our tables by logical replication. Rows: grade, thing, what is so, what mends it if it is not meant.
SELECT 'note', 'publication', pg_catalog.format('%s publishes %s tables of dormouse, so each claim and each ending is sent along', p.pubname, count(*)),
       CASE WHEN b.puballtables THEN pg_catalog.format('name tables in %I instead of FOR ALL TABLES (docs/replication.md)', p.pubname)
            ELSE pg_catalog.format('ALTER PUBLICATION %I, if that is not meant (docs/replication.md)', p.pubname) END
  FROM pg_publication_tables p JOIN pg_publication b ON b.pubname = p.pubname
 WHERE p.schemaname = 'dormouse'
 GROUP BY p.pubname, b.puballtables
UNION ALL
SELECT 'warning', 'publication', pg_catalog.format('%s publishes only some rows or columns of dormouse.%s: if these are chosen by columns outside of its replica identity, Postgres refuses each claim and each ending (42P10)',
                                                   p.pubname, p.tablename),
       pg_catalog.format('publish dormouse''s tables whole or not at all: ALTER PUBLICATION %I DROP TABLE dormouse.%I', p.pubname, p.tablename)
  FROM pg_publication_tables p
 WHERE p.schemaname = 'dormouse'
   AND (pg_catalog.to_jsonb(p) ->> 'rowfilter'::text IS NOT NULL  -- both since version 15
        OR pg_catalog.jsonb_array_length(pg_catalog.to_jsonb(p) -> 'attnames'::text)
           < (SELECT count(*) FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
               WHERE n.nspname = p.schemaname AND c.relname = p.tablename AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''))
UNION ALL
SELECT 'failed', 'publication', pg_catalog.format('%s publishes dormouse.%s, which has no replica identity: Postgres refuses each change of it (55000)', p.pubname, p.tablename),
       pg_catalog.format('ALTER TABLE dormouse.%I REPLICA IDENTITY DEFAULT', p.tablename)
  FROM pg_publication_tables p JOIN pg_class c ON c.relname = p.tablename JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = p.schemaname
 WHERE p.schemaname = 'dormouse' AND c.relreplident = 'n'
