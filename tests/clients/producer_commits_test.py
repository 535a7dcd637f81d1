"""Whatever commits in Python also rings: transactions that an earlier statement has begun, pipelines, and commits that are cut off."""

import os
import signal
import threading
import time
import unittest

from bell import Bell
from producer_drivers import ASYNC_ENGINE, AsyncSession, asyncio, asyncpg, psycopg, psycopg2  # first: skips

import dormouse

EYE = psycopg.connect("options='-c lock_timeout=5s'", autocommit=True)
HOLDER = psycopg.connect("", autocommit=True)
BELL = Bell("default")
WORDS = r"dormouse\.transaction\(conn\), too"
# A commit lasts for as long as HOLDER has the lock; a cancellation ends that wait, but comes too late for the commit.
SLOW = """CREATE FUNCTION public.slow() RETURNS trigger LANGUAGE plpgsql AS $f$
            BEGIN PERFORM pg_advisory_lock_shared(17); RETURN NULL; EXCEPTION WHEN query_canceled THEN RETURN NULL; END $f$;
          CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON dormouse.runs_live DEFERRABLE INITIALLY DEFERRED
            FOR EACH ROW WHEN (NEW.task = 'slow') EXECUTE FUNCTION public.slow()"""


class Test(unittest.TestCase):
    def setUp(self):
        EYE.execute("TRUNCATE dormouse.runs, dormouse.keys")
        BELL.rings()

    def check(self, runs, rings):
        self.assertEqual((EYE.execute("SELECT count(*) FROM dormouse.runs").fetchone()[0], BELL.rings()), (runs, rings))


def both():
    return [psycopg.connect(""), psycopg2.connect("")]


class Begun(Test):
    """By an earlier statement."""

    def test_a_block_commits_all_of_it_and_rings(self):
        for before in (lambda conn: conn.cursor().execute("SELECT 1"), lambda conn: dormouse.result(conn, dormouse.enqueue(EYE, "work", ring=False)),
                       lambda conn: dormouse.cancel(conn, dormouse.enqueue(EYE, "work", ring=False))):
            for conn in both():
                self.setUp()
                before(conn)
                with dormouse.transaction(conn):
                    with dormouse.transaction(conn):
                        run = dormouse.enqueue(conn, "work")
                    self.assertEqual(BELL.rings(), 0)
                conn.close()
                self.assertEqual((dormouse.result(EYE, run).status, BELL.rings()), ("queued", 1))

    def test_also_of_an_async_connection(self):
        async def work():
            conn = await psycopg.AsyncConnection.connect("")
            await conn.execute("SELECT 1")
            async with dormouse.transaction(conn):
                await dormouse.enqueue(conn, "work")
            self.check(1, 1)
            await dormouse.enqueue(conn, "work")
            with self.assertRaises(ZeroDivisionError):
                async with dormouse.transaction(conn):
                    await dormouse.enqueue(conn, "work", 1 / 0)
            await conn.close()

        asyncio.run(work())
        self.check(1, 0)

    def test_an_exception_rolls_back_all_of_it(self):
        for conn in both():
            dormouse.enqueue(conn, "work")
            with self.assertRaises(ZeroDivisionError), dormouse.transaction(conn):
                dormouse.enqueue(conn, "work", 1 / 0)
            self.assertEqual(conn.info.transaction_status, 0)
            conn.close()
        with psycopg.connect("") as conn:
            dormouse.enqueue(conn, "work")
            with dormouse.transaction(conn):
                raise psycopg.Rollback
        self.check(0, 0)

    def test_what_it_enqueued_before_the_block_rings_too(self):
        near = Bell("near")
        for conn in both():
            dormouse.enqueue(conn, "work", ring="near")
            with dormouse.transaction(conn):
                pass
            self.assertEqual(near.rings(), 1)
            dormouse.enqueue(conn, "work", ring="near")
            conn.rollback()
            with dormouse.transaction(conn):
                pass
            conn.close()
        self.assertEqual(near.rings(), 0)
        near.close()
        self.check(2, 0)

    def test_a_failed_statement_that_nobody_minded_is_told(self):
        for conn in both():
            for first in ("", "SELECT 1"):
                if first:
                    conn.cursor().execute(first)
                with self.assertRaisesRegex(Exception, "had failed|aborted"), dormouse.transaction(conn):
                    dormouse.enqueue(conn, "work")
                    with self.assertRaises(Exception):
                        conn.cursor().execute("SELECT 1/0")
                self.assertEqual(conn.info.transaction_status, 0)
            conn.close()
        self.check(0, 0)


class Others(Test):
    """A transaction that something else ends: a block would ring nobody, and is refused before it does anything."""

    def within(self, conn, block):
        with block:
            for _ in range(2):
                with self.assertRaisesRegex(ValueError, WORDS), dormouse.transaction(conn):
                    self.fail("began")
                dormouse.enqueue(conn, "work")
        conn.close()

    def test_blocks_of_psycopg_and_psycopg2(self):
        conn = psycopg.connect("")
        self.within(conn, conn.transaction())
        conn = psycopg.connect("", autocommit=True)
        self.within(conn, conn.transaction())
        conn = psycopg2.connect("")
        self.within(conn, conn)
        conn = psycopg2.connect("")
        conn.autocommit = True
        self.within(conn, conn)
        self.check(8, 0)

    def test_begin_by_hand(self):
        for conn in both():
            conn.autocommit = True
            conn.cursor().execute("BEGIN")
            with self.assertRaisesRegex(ValueError, WORDS), dormouse.transaction(conn):
                self.fail("began")
            conn.cursor().execute("COMMIT")
            with dormouse.transaction(conn):
                dormouse.enqueue(conn, "work")
            conn.close()
        self.check(2, 2)

    def test_async_ones(self):
        async def within(conn):
            async with conn.transaction():
                with self.assertRaisesRegex(ValueError, WORDS):
                    async with dormouse.transaction(conn):
                        self.fail("began")
                await dormouse.enqueue(conn, "work")
            async with dormouse.transaction(conn):
                await dormouse.enqueue(conn, "work")
            await conn.close()

        async def work():
            await within(await asyncpg.connect())
            await within(await psycopg.AsyncConnection.connect(""))

        asyncio.run(work())
        self.check(4, 2)


class Pipelines(Test):
    def test_a_block_in_a_pipeline_commits_and_rings(self):
        for autocommit in (True, False):
            with psycopg.connect("", autocommit=autocommit) as conn, conn.pipeline():
                conn.execute("SELECT 1")
                with dormouse.transaction(conn):
                    dormouse.enqueue(conn, "work")
                self.check(1, 1)
            self.setUp()

        async def work():
            async with await psycopg.AsyncConnection.connect("", autocommit=True) as conn, conn.pipeline():
                await conn.execute("SELECT 1")
                async with dormouse.transaction(conn):
                    await dormouse.enqueue(conn, "work")

        asyncio.run(work())
        self.check(1, 1)


class CutOff(Test):
    """The server commits all the same."""

    def setUp(self):
        super().setUp()
        EYE.execute(SLOW)
        HOLDER.execute("SELECT pg_advisory_lock(17)")

    def tearDown(self):
        HOLDER.execute("SELECT pg_advisory_unlock_all()")
        EYE.execute("DROP FUNCTION public.slow CASCADE")

    def until_it_commits(self):
        end = time.monotonic() + 20
        while not EYE.execute("SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted)").fetchone()[0]:
            self.assertLess(time.monotonic(), end)
            time.sleep(0.01)

    async def cancelled(self, work):
        task = asyncio.ensure_future(work)
        await asyncio.get_running_loop().run_in_executor(None, self.until_it_commits)
        task.cancel()
        await asyncio.sleep(0.1)
        HOLDER.execute("SELECT pg_advisory_unlock(17)")
        with self.assertRaises(asyncio.CancelledError):
            await task

    def cancel(self, connect, work):
        async def all_of_it():
            conn = await connect()
            await self.cancelled(work(conn))
            self.check(1, 1)
            await conn.close()

        asyncio.run(all_of_it())

    def test_a_cancelled_block(self):
        async def block(conn):
            async with dormouse.transaction(conn):
                await dormouse.enqueue(conn, "slow")

        for connect in (asyncpg.connect, lambda: psycopg.AsyncConnection.connect(""), lambda: psycopg.AsyncConnection.connect("", autocommit=True)):
            self.cancel(connect, block)
            Test.setUp(self)
            HOLDER.execute("SELECT pg_advisory_lock(17)")

    def test_a_cancelled_block_in_a_transaction_that_had_begun(self):
        async def block(conn):
            await conn.execute("SELECT 1")
            async with dormouse.transaction(conn):
                await dormouse.enqueue(conn, "slow")

        self.cancel(lambda: psycopg.AsyncConnection.connect(""), block)

    def test_a_cancelled_call_that_commits_by_itself(self):
        for connect in (asyncpg.connect, lambda: psycopg.AsyncConnection.connect("", autocommit=True)):
            self.cancel(connect, lambda conn: dormouse.enqueue(conn, "slow"))
            Test.setUp(self)
            HOLDER.execute("SELECT pg_advisory_lock(17)")

    def test_a_cancelled_commit_of_sqlalchemy(self):
        async def commit(conn):
            await dormouse.enqueue(conn, "slow")
            await conn.commit()

        async def work(make):
            async with make() as conn:
                await self.cancelled(commit(conn))
            end = time.monotonic() + 20
            while not EYE.execute("SELECT count(*) FROM dormouse.runs").fetchone()[0]:
                self.assertLess(time.monotonic(), end)
            self.assertGreaterEqual(BELL.rings(), 1)
            while not BELL.rings():  # nobody hears of the commit: one more after it
                self.assertLess(time.monotonic(), end)
                await asyncio.sleep(0.01)
            async with make() as conn:
                await dormouse.enqueue(conn, "work")
                await conn.rollback()
            self.check(1, 0)

        for make in (lambda: AsyncSession(ASYNC_ENGINE, future=True), ASYNC_ENGINE.connect):
            asyncio.run(work(make))
            Test.setUp(self)
            HOLDER.execute("SELECT pg_advisory_lock(17)")

    def test_a_block_that_is_interrupted(self):
        def interrupt():
            self.until_it_commits()
            os.kill(os.getpid(), signal.SIGINT)
            HOLDER.execute("SELECT pg_advisory_unlock(17)")

        for conn in both():
            thread = threading.Thread(target=interrupt)
            thread.start()
            with self.assertRaises(KeyboardInterrupt), dormouse.transaction(conn):
                dormouse.enqueue(conn, "slow")
            thread.join()
            conn.close()
            self.check(1, 1)
            Test.setUp(self)
            HOLDER.execute("SELECT pg_advisory_lock(17)")


if __name__ == "__main__":
    unittest.main(verbosity=2)
