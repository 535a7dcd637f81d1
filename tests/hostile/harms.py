"""What a worker may meet in a database and in handlers that belong to somebody else. Each function does one kind of harm to the runs of the
task `bad` of a pool, by its own random choice, and says in a few words what it was; the first word is what it is counted under."""
import json
import os

import psycopg2

# One of each class that a trigger, a constraint or the server may answer with; two where the worker might tell them apart.
SQLSTATES = ("03000", "08006", "0A000", "20000", "21000", "22003", "22P05", "23505", "23514", "25006", "25P02", "26000", "28000", "2F003", "34000",
             "38000", "39000", "3D000", "40001", "40P01", "42501", "42703", "42883", "42P01", "44000", "53100", "53200", "53400", "54000", "54001",
             "55000", "55006", "55P03", "57014", "57P01", "58030", "72000", "F0000", "HV000", "P0001", "P0002", "P0004", "XX000", "XX001", "APP01")
# What a trigger may do besides, with errors that speak as if of the session, of the server or of its files: 55000 twice, 58P01 twice, 08001, and 57P01
# of another session. Each with what it needs.
DBLINK = "CREATE EXTENSION IF NOT EXISTS dblink SCHEMA public"
ELSEWHERE = ("'host=' || split_part(current_setting('unix_socket_directories'), ',', 1) || ' port=' || current_setting('port') || ' user=' || current_user"
             " || ' dbname=' || current_database()")
BODIES = {
    "a sequence not yet used": ("PERFORM currval('public.unused')", "CREATE SEQUENCE public.unused"),
    "a published table": ("UPDATE public.published SET n = n + 1",
                          "CREATE TABLE public.published (n integer); CREATE PUBLICATION theirs FOR TABLE public.published"),
    "a missing file": ("PERFORM pg_read_file('/nowhere/at/all')", ""),
    "file_fdw": ("PERFORM * FROM public.missing", "CREATE EXTENSION file_fdw SCHEMA public; CREATE SERVER files FOREIGN DATA WRAPPER file_fdw; "
                 "CREATE FOREIGN TABLE public.missing (t text) SERVER files OPTIONS (filename '/nowhere/at/all')"),
    "a dead host": ("PERFORM public.dblink_connect('host=/nowhere dbname=none')", DBLINK),
    "a session that ends": (f"PERFORM * FROM public.dblink({ELSEWHERE}, 'SELECT pg_terminate_backend(pg_backend_pid())') AS t (done boolean)", DBLINK),
    "a division": ("PERFORM 1 / (SELECT 0)", ""),
}
HARMS = []


def harm(function, often=1):
    HARMS.extend([function] * often)
    return function


def often(function):
    return harm(function, 4)


def sql_json(text):
    return "$json$" + text + "$json$::jsonb"


def enqueue(case, payload="'{}'", count=3, **columns):
    """Plain INSERT, as any producer may; what the producer itself is refused is no harm to anybody."""
    names = "".join(f", {name}" for name in columns)
    values = "".join(f", {value}" for value in columns.values())
    for _ in range(count):
        try:
            case.guilty += [row[0] for row in case.pool.ask(
                f"INSERT INTO dormouse.runs (task, queue, payload{names}) VALUES ('bad', '{case.pool.name}', {payload}{values}) RETURNING id::text")]
        except psycopg2.Error as error:
            case.refused.append(str(error).splitlines()[0])
    case.pool.ring()


def change_schema(case, *statements):
    """As an operator would: once more where the worker was in the way."""
    for statement in statements:
        for left in reversed(range(20)):
            try:
                case.pool.ask(statement)
                break
            except psycopg2.errors.DeadlockDetected:
                if not left:
                    raise


def some_error(chance, says):
    """What a trigger does, in words; as a statement; and the statements that it needs first."""
    if chance.random() < 0.6:
        state = chance.choice(SQLSTATES)
        return f"raises {state}", f"RAISE EXCEPTION '{says}' USING ERRCODE = '{state}'", ()
    name = chance.choice(sorted(BODIES))
    body, ready = BODIES[name]
    return f"meets {name}", body, [ready] * bool(ready)


@often
def trigger(case, chance):
    table = chance.choice(("runs", "runs_live", "runs_finished"))
    event = chance.choice(("INSERT", "UPDATE", "DELETE"))
    when = chance.choice(("BEFORE", "AFTER"))
    state, body, ready = some_error(chance, "not this one")
    row = "OLD" if event == "DELETE" else "NEW"
    status = chance.choice(("", f" AND {row}.status = 'running'", f" AND {row}.status IN ('completed', 'failed')", f" AND {row}.status = 'retry'"))
    code = chance.choice((0, 0, 1, 75))
    with open(os.path.join(case.pool.directory, "code"), "w", encoding="ascii") as file:
        file.write(str(code))
    enqueue(case)
    change_schema(
        case, *ready,
        f"CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body}; RETURN coalesce(NEW, OLD); END $$",
        f"CREATE TRIGGER refuse {when} {event} ON dormouse.{table} FOR EACH ROW WHEN ({row}.task = 'bad'{status}) EXECUTE FUNCTION public.refuse()")
    enqueue(case)
    return f"trigger {when} {event} on {table} {state}{status}; its handler exits with {code}"


@harm
def payload(case, chance):
    deep = chance.choice((10, 500, 3000))
    large = chance.choice(((1 << 20) - 2, 1 << 20, 5 << 20))
    name, value = chance.choice((
        ("one huge number", "'1e131071'"), ("a hundred huge numbers", "('[' || repeat('1e131071,', 99) || '1]')::jsonb"),
        *(("a gigabyte of a number", "('[' || repeat('1e131071,', 8500) || '1]')::jsonb"),) * (os.environ.get("DORMOUSE_FULL") == "1"),
        ("small numbers", "'[1e-16383, -0, 0.1e-400]'"),
        ("control characters", sql_json(json.dumps("".join(map(chr, [*range(1, 32), *range(127, 160), 0x2028, 0x202E, 0xFEFF]))))),
        (f"{deep} deep", f"(repeat('[', {deep}) || repeat(']', {deep}))::jsonb"), (f"{large} bytes", f"to_jsonb(repeat('x', {large} - 2))")))
    enqueue(case, value)
    return "payload: " + name


@harm
def rows(case, chance):
    """As an older release or a restored dump may have left them: without the constraints of today."""
    for name, in case.pool.ask("SELECT conname FROM pg_constraint WHERE conrelid = 'dormouse.runs'::regclass AND contype = 'c'"):
        change_schema(case, f"ALTER TABLE dormouse.runs DROP CONSTRAINT {name}")
    what, columns = chance.choice((
        ("a traceparent of 200 kB", {"traceparent": "repeat('a', 200000)"}), ("a traceparent with line breaks", {"traceparent": r"E'a\nb\x1b[31m'"}),
        ("32767 attempts", {"attempts": "32767", "max_attempts": "32767"}),
        ("32767 attempts, lost", {"attempts": "32767", "max_attempts": "32767", "status": "'running'", "started_at": "now()", "worker": "gen_random_uuid()",
                                  "fence": "1", "lease_until": "now() - interval '1 min'"}),
        ("lost 32767 times", {"lost": "32767", "status": "'running'", "started_at": "now()", "worker": "gen_random_uuid()", "fence": "1",
                              "lease_until": "now() - interval '1 min'"}),
        ("due for ever", {"run_at": "'-infinity'"}), ("due never", {"run_at": "'infinity'"}), ("due in 4713 BC", {"run_at": "'4713-01-01 BC'"}),
        ("due in 294276", {"run_at": "'294276-12-31'"}), ("a negative timeout", {"timeout_ms": "-1"}),
        ("the longest timeout", {"timeout_ms": "9223372036854775807"}), ("priority", {"priority": "-32768"}),
        ("no attempts at all", {"max_attempts": "0"}), ("negative attempts", {"attempts": "-32768"}),
        ("a key of 200 kB", {"key": "repeat('k', 2000)"}), ("a progress of 7", {"progress": "7", "progress_text": "repeat('p', 100000)"})))
    enqueue(case, **columns)
    return "row: " + what


@harm
def spool(case, chance):
    texts = {"nonsense": b"{", "empty": b"", "zero bytes": b"\0" * 100, "bytes that are no text": b'{"task": "\xff\xfe"}', "an array": b"[]",
             "deep": b'{"task": "bad", "payload": ' + b"[" * 4000 + b"]" * 4000 + b"}", "a huge number": b'{"task": "bad", "payload": 1e131071}',
             "no number": b'{"task": "bad", "payload": 1e9999999}', "half a surrogate": b'{"task": "bad", "payload": "\\ud800"}',
             "a zero character": b'{"task": "bad", "payload": "\\u0000"}', "a time": b'{"task": "bad", "run_at": "5000000-01-01"}',
             "an endless timeout": b'{"task": "bad", "timeout": "99999999 years"}', "a traceparent": b'{"task": "bad", "traceparent": "' + b"a" * 200000 + b'"}',
             "a long key": b'{"task": "bad", "key": "' + b"k" * 600 + b'"}', "another queue": b'{"task": "bad", "queue": "elsewhere"}',
             "large": b'{"task": "bad", "payload": "' + b"x" * (3 << 20) + b'"}', "twice the same": b'{"task": "bad", "task": "bad"}',
             "zero bytes behind": b'{"task": "bad"}\n\0\0'}
    names = chance.sample(sorted(texts), 5)
    for number, name in enumerate(names):
        place = os.path.join(case.pool.spool, chance.choice((f"{number}.json", f"a b\n{number}.json", "x" * 200 + f"{number}.json")))
        with open(place + ".new", "wb") as file:
            file.write(texts[name])
        os.rename(place + ".new", place)
    odd = chance.choice(("fifo", "link", "directory"))
    place = os.path.join(case.pool.spool, odd + ".json")
    if odd == "fifo":
        os.mkfifo(place)
    elif odd == "link":
        os.symlink("/etc/passwd", place)
    else:
        os.mkdir(place)
    case.pool.ring()
    return f"spool: {', '.join(names)}, a {odd}"


def says(case, *lines):
    """The handler of `bad` writes these bytes to descriptor 3."""
    with open(os.path.join(case.pool.directory, "said"), "wb") as file:
        file.write(b"".join(line if isinstance(line, bytes) else line.encode() for line in lines))
    enqueue(case)


@often
def follow_ups(case, chance):
    state, body, ready = some_error(chance, "no such tenant")
    change_schema(
        case, *ready,
        f"CREATE FUNCTION public.check_run() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body}; RETURN NEW; END $$",
        "CREATE TRIGGER check_run BEFORE INSERT ON dormouse.runs FOR EACH ROW WHEN (NEW.task = 'checked') EXECUTE FUNCTION public.check_run()")
    what = chance.choice(('{"task":"checked"}', '{"task":"bad2"},{"task":"checked"}', '{"task":"checked","delay":3600}', '{"task":"bad2","queue":"%s"}' % ("q" * 60), '{"task":"bad2","payload":1e131072}',
                          '{"task":"bad2","payload":[%s1]}' % ("1e131071," * 99), '{"task":"bad2","key":"%s"}' % ("k" * 600),
                          '{"task":"bad2","run_at":"-infinity"}', '{"task":"bad2","priority":99999}', '{"task":"bad2","delay":"1e400"}',
                          '{"task":"bad2","payload":"\\u0000"}', '{"task":"%s"}' % ("t" * 300), '{"nothing":1}', '7',
                          ",".join(['{"task":"bad2","queue":"elsewhere"}'] * 300)))
    says(case, '{"type":"completed","enqueue":[' + what + "]}\n")
    return "follow-up: " + what[:60] + f" {state}" * ("checked" in what)


# What administrators set for a whole database. Not: read-only, and other rules for triggers, which stop work on purpose.
SETTINGS = ("default_transaction_isolation = 'serializable'", "default_transaction_isolation = 'repeatable read'", "default_transaction_deferrable = on",
            "statement_timeout = '50ms'", "lock_timeout = '1ms'", "idle_in_transaction_session_timeout = '100ms'", "search_path = ''", "search_path = 'nowhere'",
            "search_path = 'public, pg_catalog'", "row_security = off", "DateStyle = 'German'", "DateStyle = 'SQL, DMY'", "IntervalStyle = 'sql_standard'",
            "TimeZone = 'Pacific/Kiritimati'", "bytea_output = 'escape'", "extra_float_digits = -15", "array_nulls = off", "standard_conforming_strings = off",
            "client_encoding = 'LATIN1'", "client_encoding = 'SQL_ASCII'", "lc_messages = 'C'", "client_min_messages = 'debug5'", "log_statement = 'all'",
            "transform_null_equals = on", "quote_all_identifiers = on", "xmlbinary = 'hex'", "plan_cache_mode = 'force_generic_plan'",
            "plan_cache_mode = 'force_custom_plan'", "enable_indexscan = off", "enable_bitmapscan = off", "enable_sort = off", "enable_nestloop = off",
            "enable_hashjoin = off", "enable_partition_pruning = off", "from_collapse_limit = 1", "join_collapse_limit = 1", "jit_above_cost = 0",
            "work_mem = '64kB'", "temp_buffers = '800kB'", "max_parallel_workers_per_gather = 8", "constraint_exclusion = off", "gin_fuzzy_search_limit = 1",
            "synchronous_commit = off", "vacuum_cost_delay = 100", "tcp_keepalives_idle = 1", "check_function_bodies = off", "escape_string_warning = off",
            "default_toast_compression = 'pglz'", "default_text_search_config = 'simple'", "exit_on_error = off", "event_triggers = on")


@often
def settings(case, chance):
    """They count for sessions that are opened from now on: those of before end."""
    chosen = chance.sample(SETTINGS, 4)
    taken = []
    for setting in chosen:
        try:
            case.pool.ask(f"DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET {setting.replace(chr(39), chr(39) * 2)}', current_database()); END $$")
            taken.append(setting)
        except psycopg2.Error as error:  # another release of the server does not know it
            case.refused.append(str(error).splitlines()[0])
    case.terminate_sessions()
    enqueue(case)
    return "settings: " + ", ".join(taken)


STRANGE = {"a zero character": b'"a\\u0000b"', "half a surrogate": b'"\\ud800"', "beyond a double": b"1e400", "huge": b"1e131071", "too huge": b"1e131072",
           "many huge": b"[" + b"1e131071," * 200 + b"1]", "deep": b"[" * 5000 + b"]" * 5000, "too large": b'"' + b"x" * (2 << 20) + b'"', "NaN": b"NaN",
           "no text": b'"\xff\xfe\xc0\x80"', "control characters": json.dumps("".join(map(chr, range(127, 160)))).encode(), "the same key": b'{"a":1,"a":2}'}


@often
def result(case, chance):
    name = chance.choice(sorted(STRANGE))
    if chance.random() < 0.5:
        says(case, b'{"type":"completed","result":' + STRANGE[name] + b"}\n")
        return "result: " + name
    with open(os.path.join(case.pool.directory, "printed"), "wb") as file:
        file.write(STRANGE[name])
    enqueue(case)
    return "result on stdout: " + name


@harm
def news(case, chance):
    """Log lines, progress and errors."""
    lines = chance.sample((b'{"type":"log","level":"warning","text":"a\\u0000b\\ud800c\\u009b31m"}\n', b'{"type":"progress","fraction":NaN}\n',
                           b'{"type":"progress","fraction":1e400,"text":"\\u0000"}\n', b'{"type":"progress","fraction":-7}\n', b"\0\x1b[31m\xc2\x9b\xff\n",
                           b'{"type":"log","text":"' + b"x" * 100000 + b'"}\n', b'{"type":"log","level":"\\u0000","text":7}\n', b"{" * 5000 + b"\n",
                           b'{"type":"heartbeat","within":1e400}\n'), 4)
    end = chance.choice((b'{"type":"completed"}\n', b'{"type":"failed","class":"\\u0000\\ud800","message":"a\\u0000b\\u009b"}\n',
                         b'{"type":"retry","in":1e400}\n', b'{"type":"retry","in":-1,"message":"\\udfff"}\n', b'{"type":"failed","class":"C","message":"m","permanent":1}\n'))
    if chance.random() < 0.5:
        with open(os.path.join(case.pool.directory, "cried"), "wb") as file:
            file.write(b"\0\xff\x80\n\xc2\x85 \xc2\x9b31m \xed\xa0\x80\n" + b"y" * 50000 + b"\n")
    says(case, *lines, end)
    return "news: " + ", ".join(line[:30].decode(errors="replace").strip() for line in (*lines, end))
