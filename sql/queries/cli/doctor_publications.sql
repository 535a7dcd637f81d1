-- Who gets our tables by logical replication. Rows: grade, thing, what is so, what mends it if it is not meant.
SELECT 'note', 'publication', pg_catalog.format('%s publishes %s tables of dormouse, so each claim and each ending is sent along', p.pubname, count(*)),
       CASE WHEN b.puballtables THEN pg_catalog.format('name tables in %I instead of FOR ALL TABLES (docs/replication.md)', p.pubname)
            ELSE pg_catalog.format('ALTER PUBLICATION %I, if that is not meant (docs/replication.md)', p.pubname) END
  FROM pg_publication_tables p JOIN pg_publication b ON b.pubname = p.pubname
 WHERE p.schemaname = 'dormouse'
 GROUP BY p.pubname, b.puballtables ORDER BY p.pubname
