"""What goes wrong with producers in Python, each with its connection as people have it; functions of @task; helpers of tests."""

import dataclasses
import os
import subprocess
import tempfile
import typing
import unittest
import unittest.mock

from bell import Bell
from producer_drivers import ASYNC_ENGINE, ENGINE, AsyncSession, Session, asyncio, asyncpg, django, psycopg, psycopg2, sqlalchemy  # first: skips

import psycopg2.extras
import psycopg.rows
from sqlalchemy.ext.asyncio import async_scoped_session
from sqlalchemy.orm import scoped_session, sessionmaker

import dormouse

EYE = psycopg.connect("", autocommit=True)
BELL = Bell("default")


@dataclasses.dataclass
class Picture:
    file: str
    sizes: typing.List[int] = dataclasses.field(default_factory=list)


@dormouse.task
def thumbnail(picture: Picture):
    return picture.file


@dormouse.task("count.words", queue="words")
async def count(run: dormouse.Run, payload: typing.Dict[str, int]):
    return len(payload)


@dormouse.task
def sweep():
    return "swept"


class Test(unittest.TestCase):
    def setUp(self):
        EYE.execute("TRUNCATE dormouse.runs, dormouse.keys")
        BELL.rings()

    def check(self, runs, rings):
        self.assertEqual((EYE.execute("SELECT count(*) FROM dormouse.runs").fetchone()[0], BELL.rings()), (runs, rings))


class Delegates:
    """As those that trace and count statements: whatever it is asked for, it asks another."""

    def __init__(self, inner):
        self._inner = inner

    def __getattr__(self, name):
        return getattr(self._inner, name)


class OnlyCursors:
    """Without a way to the connection behind it."""

    def __init__(self, inner):
        self.cursor, self.commit, self.rollback = inner.cursor, inner.commit, inner.rollback


class Connections(Test):
    def test_a_commit_by_hand_does_not_ring_and_says_nothing_wrong(self):
        with psycopg.connect("", row_factory=psycopg.rows.dict_row) as conn:
            dormouse.enqueue(conn, "work")
            conn.rollback()
            dormouse.enqueue(conn, "work")
            self.check(0, 0)
            conn.commit()
            self.check(1, 0)
            self.assertTrue(dormouse.ring())
            self.check(1, 1)

    def test_a_connection_that_does_not_autocommit_has_blocks_too(self):
        for conn in (psycopg.connect(""), psycopg2.connect("")):
            with dormouse.transaction(conn):
                dormouse.enqueue(conn, "work")
            conn.close()
        self.check(2, 2)

    def test_a_commit_that_fails_rings_nobody(self):
        failing = "CREATE TEMPORARY TABLE t (i int UNIQUE DEFERRABLE INITIALLY DEFERRED); INSERT INTO t VALUES (1), (1)"
        for conn in (psycopg.connect(""), psycopg2.connect("")):
            with self.assertRaisesRegex(Exception, "duplicate key"), dormouse.transaction(conn):
                dormouse.enqueue(conn, "work")
                conn.cursor().execute(failing)
            with dormouse.transaction(conn):
                pass
            conn.close()
        self.check(0, 0)

    def test_cursors_and_factories(self):
        with psycopg.connect("", autocommit=True, row_factory=psycopg.rows.dict_row) as conn:
            dormouse.enqueue(conn.cursor(), "work")
            conn.row_factory = lambda cursor: lambda values: object()
            dormouse.enqueue(conn, "work")
        conn = psycopg2.connect("", cursor_factory=psycopg2.extras.RealDictCursor)
        conn.autocommit = True
        dormouse.enqueue(conn, "work")
        dormouse.enqueue(conn.cursor(), "work")
        conn.close()
        self.check(4, 4)

    def test_wrappers_are_asked_for_cursors_only(self):
        for wrap, rings in ((Delegates, 1), (OnlyCursors, 0)):
            for conn in (psycopg.connect("", autocommit=True), psycopg2.connect("", cursor_factory=psycopg2.extras.RealDictCursor)):
                conn.autocommit = True
                run = dormouse.enqueue(wrap(conn), "work", {"%s": "$1"})
                self.assertEqual(dormouse.result(wrap(conn), run).status, "queued")
                conn.close()
                self.check(1, rings)
                self.setUp()

        async def wrapped():
            conn = await asyncpg.connect()
            await dormouse.enqueue(Delegates(conn), "work")
            await conn.close()
            conn = await psycopg.AsyncConnection.connect("", autocommit=True)
            await dormouse.enqueue(Delegates(conn), "work")
            await conn.close()

        asyncio.run(wrapped())
        self.check(2, 2)

    def test_what_has_no_transaction_is_refused_with_what_to_give(self):
        class Pool:
            def getconn(self):
                pass

            def cursor(self):
                pass

        async def pool():
            async with asyncpg.create_pool(min_size=1, max_size=1) as one:
                await dormouse.enqueue(one, "work")

        for wrong in (None, "postgresql:///app", Pool(), ENGINE, ASYNC_ENGINE, sessionmaker(ENGINE)):
            with self.assertRaisesRegex(TypeError, "give a"):
                dormouse.enqueue(wrong, "work")
        with self.assertRaisesRegex(TypeError, "out of it"):
            asyncio.run(pool())
        with self.assertRaisesRegex(TypeError, "'other' of Django is sqlite"):
            dormouse.enqueue(django.db.connections["other"], "work")

    def test_transaction_is_for_drivers_without_a_hook_and_of_the_right_kind(self):
        with Session(ENGINE) as session, self.assertRaisesRegex(TypeError, "rings by itself"):
            dormouse.transaction(session)
        with self.assertRaisesRegex(TypeError, "atomic"):
            dormouse.transaction(django.db.connection)

        async def wrong():
            conn = await asyncpg.connect()
            try:
                with self.assertRaisesRegex(TypeError, "async with"), dormouse.transaction(conn):
                    pass
            finally:
                await conn.close()
            with psycopg.connect("") as plain, self.assertRaisesRegex(TypeError, "without async"):
                async with dormouse.transaction(plain):
                    pass

        asyncio.run(wrong())

    def test_scoped_sessions(self):
        session = scoped_session(sessionmaker(ENGINE, future=True))
        dormouse.enqueue(session, "work")
        session.commit()
        session.remove()

        async def scoped():
            one = async_scoped_session(sessionmaker(ASYNC_ENGINE, class_=AsyncSession, future=True), asyncio.current_task)
            await dormouse.enqueue(one, "work")
            await one.commit()
            await one.remove()

        asyncio.run(scoped())
        self.check(2, 2)

    def test_a_core_connection_rings_when_it_goes_on_or_back(self):
        with ENGINE.connect() as conn:
            dormouse.enqueue(conn, "work")
            conn.commit()
            conn.execute(sqlalchemy.text("SELECT 1"))
            self.check(1, 1)
            dormouse.enqueue(conn, "work")
            conn.commit()
        self.check(2, 1)
        with ENGINE.connect() as conn:
            dormouse.enqueue(conn, "work")
        with ENGINE.connect():
            self.check(2, 0)
        for engine in (ENGINE.execution_options(isolation_level="AUTOCOMMIT"),
                       sqlalchemy.create_engine("postgresql+psycopg2://", future=True, isolation_level="AUTOCOMMIT")):
            with engine.connect() as conn:
                dormouse.enqueue(conn, "work")
                self.assertEqual(BELL.rings(), 1)
        self.check(4, 0)

    def test_django_without_autocommit_is_the_caller_s(self):
        conn = django.db.connection
        conn.set_autocommit(False)
        dormouse.enqueue(conn, "work")
        conn.commit()
        conn.set_autocommit(True)
        conn.close()
        self.check(1, 0)

    def test_waiting_leaves_no_transaction_open(self):
        with psycopg.connect("") as conn:
            run = dormouse.enqueue(conn, "work")
            conn.commit()
            with self.assertRaises(TimeoutError):
                dormouse.wait(conn, run, timeout=0.01)
            self.assertEqual(conn.info.transaction_status, psycopg.pq.TransactionStatus.IDLE)

    def test_a_login_that_may_only_enqueue_needs_no_more(self):
        subprocess.run([os.environ["DORMOUSE"], "migrate", "--roles", "--database-url", f"postgresql:///postgres?host={os.environ['PGHOST']}"],
                       check=True, stdout=subprocess.DEVNULL)
        EYE.execute("DROP ROLE IF EXISTS app")
        EYE.execute("CREATE ROLE app LOGIN IN ROLE dormouse_producer")
        with psycopg.connect("user=app", autocommit=True) as conn:
            run = dormouse.enqueue(conn, "work", key="k")
            self.assertEqual(dormouse.enqueue_many(conn, "work", [1], keys=["k"]), [run])
            self.assertTrue(dormouse.cancel(conn, run))
            self.assertTrue(dormouse.wait(conn, run).finished)
            self.assertTrue(dormouse.retry(conn, run))
            self.assertEqual(dormouse.result(conn, run).status, "queued")


class Doorbells(Test):
    def test_the_pool_of_the_queue_s_name_is_rung_if_there_is_one(self):
        with psycopg.connect("", autocommit=True) as conn:
            mail = Bell("mail")
            dormouse.enqueue(conn, "work", queue="mail")
            self.assertEqual((mail.rings(), BELL.rings()), (1, 0))
            mail.close()
            os.unlink(mail.target)
            dormouse.enqueue(conn, "work", queue="mail")
            dormouse.enqueue(conn, "work", queue="../mail")
            self.check(3, 2)

    def test_who_is_rung_can_be_said(self):
        far, near = Bell(), Bell("near")
        with psycopg.connect("", autocommit=True) as conn:
            dormouse.enqueue(conn, "work", ring=far.target)
            dormouse.enqueue(conn, "work", ring=[far.target, "near", "missing"])
            dormouse.enqueue(conn, "work", ring="")
            with unittest.mock.patch.dict(os.environ, DORMOUSE_RING=f"near, {far.target}"):
                dormouse.enqueue(conn, "work", queue="default")
            with unittest.mock.patch.dict(os.environ, DORMOUSE_RING=""):
                dormouse.enqueue(conn, "work")
        self.assertEqual((far.rings(), near.rings()), (3, 2))
        self.check(5, 0)
        far.close(), near.close()


class Functions(Test):
    def setUp(self):
        super().setUp()
        self.conn = psycopg.connect("", autocommit=True)
        self.addCleanup(self.conn.close)

    def stored(self):
        return EYE.execute("SELECT task, queue, payload, key FROM dormouse.runs ORDER BY id").fetchall()

    def test_a_function_of_a_task_is_enqueued_and_stays_a_function(self):
        self.assertEqual(thumbnail(Picture("a.png")), "a.png")
        thumbnail.enqueue(self.conn, Picture("a.png", [1]), key="a")
        thumbnail.enqueue(self.conn, {"file": "b.png", "newer": 1})
        count.enqueue(self.conn, {"a": 1})
        count.enqueue(self.conn, {}, queue="other")
        sweep.enqueue(self.conn)
        thumbnail.enqueue_many(self.conn, [Picture("c.png"), {"file": "d.png"}], keys=["c", None])
        self.assertEqual(self.stored(), [
            ("thumbnail", "default", {"file": "a.png", "sizes": [1]}, "a"), ("thumbnail", "default", {"file": "b.png", "newer": 1}, None),
            ("count.words", "words", {"a": 1}, None), ("count.words", "other", {}, None), ("sweep", "default", {}, None),
            ("thumbnail", "default", {"file": "c.png", "sizes": []}, "c"), ("thumbnail", "default", {"file": "d.png"}, None)])

    def test_a_payload_that_the_function_would_refuse_is_refused_with_the_place(self):
        for wrong, words in ((17, "the payload of 'thumbnail': expected an object"), ({"sizes": []}, "the payload of 'thumbnail'.file: missing"),
                             ({"file": "a", "sizes": ["1"]}, r"sizes\[0\]: expected an integer"), (Picture(None), "file: expected a string")):
            with self.assertRaisesRegex(dormouse.BadPayload, words):
                thumbnail.enqueue(self.conn, wrong)
        with self.assertRaisesRegex(dormouse.BadPayload, "the payload of 'thumbnail'.file: missing"):
            thumbnail.enqueue(self.conn)
        with self.assertRaisesRegex(dormouse.BadPayload, "payload 1 of 'thumbnail'.file: missing"):
            thumbnail.enqueue_many(self.conn, [Picture("a"), {}])
        with self.assertRaisesRegex(TypeError, "prioriti"):
            thumbnail.enqueue(self.conn, Picture("a"), prioriti=1)
        self.check(0, 0)


class Drain(Test):
    def test_what_is_due_is_executed_and_its_result_is_there(self):
        with tempfile.TemporaryDirectory() as directory, psycopg.connect("", autocommit=True) as conn:
            config = directory + "/pool.toml"
            with open(config, "w", encoding="utf-8") as file:
                file.write(f'[database]\nurl = "postgresql://postgres@/postgres?host={os.environ["PGHOST"]}"\n[task.echo]\ncommand = ["/bin/cat"]\n'
                           '[task.fails]\ncommand = ["/bin/false"]\nmax_attempts = 1\n[task.slow]\ncommand = ["/bin/sleep", "30"]\n')
            echo, fails = dormouse.enqueue(conn, "echo", {"a": [1, None]}), dormouse.enqueue(conn, "fails")
            dormouse.drain(config=config)
            done = dormouse.wait(conn, echo, timeout=60)
            self.assertEqual((done.completed, done.result, done.error, done.attempts), (True, {"a": [1, None]}, None, 1))
            self.assertIsNotNone(done.finished_at.tzinfo)
            done = dormouse.result(conn, fails)
            self.assertEqual((done.status, done.finished, done.completed, type(done.error)), ("failed", True, False, dict))
            dormouse.enqueue(conn, "slow")
            with self.assertRaisesRegex(RuntimeError, "not everything was done in 1 s"):
                dormouse.drain(config=config, timeout=1)
            with open(config, "a", encoding="utf-8") as file:
                file.write("nonsense = 1\n")
            with self.assertRaisesRegex(RuntimeError, "its configuration cannot be used(.|\n)*nonsense"):
                dormouse.drain(config=config)


if __name__ == "__main__":
    unittest.main(verbosity=2)
