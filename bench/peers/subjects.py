"""Who is compared: how each is made ready, filled, set to work, and asked what is left. Settings are those that the peers' own documents
recommend for speed (`tuned`, see *.mjs) and those they come with (`default`)."""
import os
import pathlib

URL = os.environ["BENCH_URL"]
HERE = pathlib.Path(__file__).parent
BIN = pathlib.Path(os.environ["BENCH_WORK"], "bin")
NODE = pathlib.Path(os.environ.get("BENCH_NODE", ""))
QUERIES = HERE.parent.parent / "sql" / "queries"
PAYLOAD = '{"customer": "somebody"}'
PAYLOAD_IN_ARRAY = '"{\\"customer\\": \\"somebody\\"}"'


def node(script, *arguments):
    return [NODE / "node_modules/.bin/node", NODE / script, URL, *arguments]


class Subject:
    """`slow`: too slow for all of them; a run of it ends after some seconds, and its rate is of what was done by then. `pause_ms`: between
    inserts whose latency is measured."""
    slow = False
    latency = True
    pause_ms = 20
    prepare = []

    def __init__(self, name):
        self.name = name

    def fill(self, count, batch):
        raise NotImplementedError


class Dormouse(Subject):
    table = "dormouse.runs"
    completed = "SELECT count(*) FROM dormouse.runs WHERE status = 'completed'"
    statement = ("SELECT dormouse.enqueue('stamp', $1::jsonb)", '{"sent": "@"}')

    def __init__(self, name, concurrency, task="nothing"):
        super().__init__(name)
        self.concurrency, self.task, self.slow = concurrency, task, concurrency == "default" and task == "nothing"

    def fill(self, count, batch):
        return [BIN / "produce", URL, statement_file(f"SELECT dormouse.enqueue_many('{self.task}', $1::jsonb[])"), "batch", count, batch,
                PAYLOAD_IN_ARRAY]

    def run(self, count, limit):
        return [BIN / "worker", URL, count, self.concurrency, "points", limit]

    def stamps(self):
        return [BIN / "worker", URL, 0, self.concurrency, "stamps"]


class Graphile(Subject):
    table = "graphile_worker._private_jobs"
    completed = None  # deletes what is done
    left = f"SELECT count(*) FROM {table}"
    prepare = ["graphile.mjs", "migrate"]
    statement = ("SELECT graphile_worker.add_job('stamp', $1::json)", '{"sent": "@"}')

    def __init__(self, kind):
        super().__init__(f"graphile-worker {kind}")
        self.kind, self.slow = kind, kind == "default"

    def fill(self, count, batch):
        return node("graphile.mjs", "fill", count, batch, PAYLOAD)

    def run(self, count, limit):
        return node("graphile.mjs", "run", self.kind, count, limit)

    def stamps(self):
        return node("graphile.mjs", "stamps", self.kind)


class PgBoss(Subject):
    table = "pgboss.job"
    completed = "SELECT count(*) FROM pgboss.job WHERE state = 'completed'"
    prepare = ["pgboss.mjs", "migrate"]

    def __init__(self, kind):
        super().__init__(f"pg-boss {kind}")
        self.kind, self.slow = kind, kind == "default"
        self.pause_ms = 2100 if self.slow else Subject.pause_ms  # it takes one each 2 s

    @property
    def statement(self):
        return (node("pgboss.mjs", "statement", self.kind), '[{"data": {"sent": "@"}}]')

    def fill(self, count, batch):
        return node("pgboss.mjs", "fill", self.kind, count, batch, PAYLOAD)

    def run(self, count, limit):
        return node("pgboss.mjs", "run", self.kind, count, limit)

    def stamps(self):
        return node("pgboss.mjs", "stamps", self.kind)


class Ceiling(Subject):
    """Postgres and a program of C: no worker, so nothing but a rate."""
    latency = False

    def __init__(self, what, connections, transactions, batch, result=None):
        how = f"{connections} connection{'s' if connections > 1 else ''}, {'one transaction' if transactions == 1 else 'two transactions'}"
        super().__init__(f"ceiling {what}: {how}, batch {batch:,}")
        self.what, self.options = what, [batch, connections, transactions]
        self.result = [result] if result else []
        ours = what == "dormouse"
        self.table = "dormouse.runs" if ours else "bare"
        self.completed = Dormouse.completed if ours else "SELECT count(*) FROM bare WHERE state = 2"
        self.statements = [QUERIES / "claim.sql", QUERIES / "finish.sql"] if ours else [HERE / "bare_claim.sql", HERE / "bare_finish.sql"]

    def fill(self, count, batch):
        if self.what == "dormouse":
            return Dormouse("", 1).fill(count, batch)
        element = "1"
        return [BIN / "produce", URL, statement_file(
            f"INSERT INTO bare SELECT nextval('bare_ids'), '{PAYLOAD}' FROM unnest($1::int[])"), "batch", count, batch, element]

    def run(self, count, limit):
        return [BIN / "ceiling", URL, self.what, count, *self.options, *self.statements, QUERIES / "open_session.sql", *self.result]


def statement_file(text):
    """A file with the statement, for produce."""
    path = BIN.parent / f"statement-{abs(hash(text))}.sql"
    path.write_text(text, encoding="utf-8")
    return path


def ceilings(batch):
    return [Ceiling(what, connections, transactions, batch)
            for what in ("bare", "dormouse") for connections in (1, 2) for transactions in (2, 1)]


def everybody(batch):
    return [Dormouse("dormouse default", "default"), Dormouse("dormouse tuned", "1000"), Graphile("tuned"), PgBoss("tuned"),
            Graphile("default"), PgBoss("default"), *ceilings(batch)]
