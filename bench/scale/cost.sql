-- What a statement costs, without leaving a trace: each time in a transaction that is undone. And what fill.sql needs.
CREATE SCHEMA bench;
CREATE TABLE bench.one (kind text, n bigint, what text);

CREATE FUNCTION bench.worker(n bigint) RETURNS uuid LANGUAGE sql IMMUTABLE
    RETURN ('00000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid;

-- As dormouse.new_id() would have made it then.
CREATE FUNCTION bench.id_at(at timestamptz) RETURNS uuid LANGUAGE sql VOLATILE
    RETURN (overlay(lpad(to_hex((date_part('epoch', at) * 4096000)::bigint), 15, '0') PLACING '7' FROM 13 FOR 0)
            || substr(gen_random_uuid()::text, 20))::uuid;

-- Partitions from `days` ago on, as dormouse.make_partition() makes them, which makes those of today and the next.
CREATE FUNCTION bench.make_partitions(parent regclass, age name, width text, days integer) RETURNS void
LANGUAGE plpgsql SET timezone = 'UTC' SET datestyle = 'ISO' AS $$
DECLARE
    at   timestamptz;
    made text;
BEGIN
    FOR at IN SELECT generate_series(date_trunc(width, now() - days * interval '1 day'), now() - interval '1 s', ('1 ' || width)::interval) LOOP
        CONTINUE WHEN at >= date_trunc(width, now());
        made := (SELECT c.relname FROM pg_class c WHERE c.oid = parent) || to_char(at, '_YYYYMMDD');
        EXECUTE format('CREATE TABLE dormouse.%I (LIKE %s INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING GENERATED INCLUDING STORAGE)', made, parent);
        EXECUTE format('ALTER TABLE %s ATTACH PARTITION dormouse.%I FOR VALUES FROM (%L) TO (%L)', parent, made, at, at + ('1 ' || width)::interval);
    END LOOP;
    WHILE dormouse.make_partition(parent, age, width, CASE width WHEN 'day' THEN interval '8 days' ELSE ('2 ' || width)::interval END) IS NOT NULL LOOP
    END LOOP;
END $$;

-- What this process has spent so far, in ms (proc(5), schedstat), to the tick of the kernel (1 to 10 ms). On a busy machine it tells more than the time.
CREATE FUNCTION bench.cpu() RETURNS float8 LANGUAGE sql VOLATILE
    RETURN split_part(pg_read_file('/proc/self/schedstat'), ' ', 1)::float8 / 1000000;

-- A line of JSON: of `times` executions behind a first one the median ms, the mean ms of the processor, and how many locks one takes. {kind} in the statement is one of bench.one.
CREATE PROCEDURE bench.cost(about json, setup text, statement text, times integer, per integer, INOUT line json DEFAULT NULL)
LANGUAGE plpgsql AS $$
DECLARE
    took  float8[] := '{}';
    spent float8[] := '{}';
    cpu   float8;
    one   record;
    this  text;
    held  bigint;
    locks bigint;
    began timestamptz;
BEGIN
    FOR trial IN 0 .. times LOOP
        this := statement;
        FOR one IN SELECT DISTINCT ON (o.kind) o.kind, o.what FROM bench.one o WHERE o.n % 10 = trial % 10 ORDER BY o.kind LOOP
            this := replace(this, '{' || one.kind || '}', one.what);
        END LOOP;
        IF setup <> '' THEN
            EXECUTE setup;
        END IF;
        held := (SELECT count(*) FROM pg_locks l WHERE l.pid = pg_backend_pid());
        cpu := bench.cpu();
        began := clock_timestamp();
        EXECUTE this;
        took[trial] := extract(epoch FROM clock_timestamp() - began) * 1000 / per;
        spent[trial] := (bench.cpu() - cpu) / per;
        locks := (SELECT count(*) FROM pg_locks l WHERE l.pid = pg_backend_pid()) - held;
        ROLLBACK;
    END LOOP;
    line := about::jsonb || jsonb_build_object('ms', (SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY t) FROM unnest(took[1:]) t),
                                               'cpu_ms', (SELECT avg(t) FROM unnest(spent[1:]) t), 'locks', locks);
END $$;

-- So many portions of an operation by a filter, one behind the other.
CREATE FUNCTION bench.portions(operation text, filter text, number integer) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    place text;
BEGIN
    FOR n IN 1 .. number LOOP
        EXECUTE format('SELECT next FROM dormouse.%I(%s, after => $1)', operation, filter) INTO place USING place;
        EXIT WHEN place IS NULL;
    END LOOP;
END $$;
