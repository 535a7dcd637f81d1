"""The connections that the tests of Python's producers use: each opens one, begins and ends transactions in its own way, and says what is
given to dormouse.enqueue(). Coroutines throughout; those of synchronous drivers never wait, and run without a loop."""

import asyncio
import os
import sys

try:
    import asyncpg
    import django
    import psycopg
    import psycopg2
    import sqlalchemy
    from django.conf import settings
    from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
    from sqlalchemy.orm import Session
    from sqlalchemy.pool import NullPool
except ImportError as missing:
    print(f"SKIPPED: {missing} (./dev setup installs the drivers for Python that Debian has)")
    sys.exit(77)

import dormouse

HOST = os.environ["PGHOST"]
settings.configure(DATABASES={"default": {"ENGINE": "django.db.backends.postgresql", "HOST": HOST, "NAME": "postgres", "USER": "postgres"},
                              "other": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}, USE_TZ=True)
django.setup()

ENGINE = sqlalchemy.create_engine("postgresql+psycopg2://", future=True)
ASYNC_ENGINE = create_async_engine(f"postgresql+asyncpg://postgres@/postgres?host={HOST}", poolclass=NullPool)


class RolledBack(Exception):
    pass


class Driver:
    """conn: what is given to dormouse."""

    is_async = False
    autocommits = True
    spare = False  # may ring for a savepoint that was rolled back, when its transaction is committed

    def run(self, work):
        """Runs a coroutine to its end."""
        if self.is_async:
            return asyncio.run(work)
        try:
            work.send(None)
        except StopIteration as end:
            return end.value
        raise AssertionError("a synchronous driver waits")

    async def open(self):
        self.blocks = []

    async def close(self):
        self.conn.close()

    async def call(self, function, *arguments, **options):
        value = function(self.conn, *arguments, **options)
        return await value if self.is_async else value

    async def begin(self):
        block = self.block(len(self.blocks))
        self.blocks.append(block)
        await block.__aenter__() if self.is_async else block.__enter__()

    async def end(self, *error):
        block = self.blocks.pop()
        await block.__aexit__(*error) if self.is_async else block.__exit__(*error)

    async def commit(self):
        await self.end(None, None, None)

    async def rollback(self):
        error = RolledBack()
        try:
            await self.end(RolledBack, error, None)
        except RolledBack:
            pass

    async def alone(self, function, *arguments, **options):
        """A call whose transaction is committed by itself, or at once behind it."""
        if self.autocommits:
            return await self.call(function, *arguments, **options)
        await self.begin()
        try:
            value = await self.call(function, *arguments, **options)
        except BaseException:
            await self.rollback()
            raise
        await self.commit()
        return value

    def block(self, depth):
        return dormouse.transaction(self.conn)


class Psycopg(Driver):
    async def open(self):
        await super().open()
        self.conn = psycopg.connect("", autocommit=True)


class PsycopgAsync(Driver):
    is_async = True

    async def open(self):
        await super().open()
        self.conn = await psycopg.AsyncConnection.connect("", autocommit=True)

    async def close(self):
        await self.conn.close()


class Psycopg2(Driver):
    async def open(self):
        await super().open()
        self.conn = psycopg2.connect("")
        self.conn.autocommit = True


class Asyncpg(Driver):
    is_async = True

    async def open(self):
        await super().open()
        self.pool = None
        self.conn = await asyncpg.connect()

    async def close(self):
        await self.conn.close()


class AsyncpgOfPool(Asyncpg):
    async def open(self):
        await super().open()
        await self.conn.close()
        self.pool = await asyncpg.create_pool(min_size=1, max_size=1)
        self.conn = await self.pool.acquire()

    async def close(self):
        await self.pool.release(self.conn)
        await self.pool.close()


class SqlalchemySession(Driver):
    autocommits = False

    async def open(self):
        await super().open()
        self.conn = Session(ENGINE, future=True)

    def block(self, depth):
        return self.conn.begin_nested() if depth else self.conn.begin()


class SqlalchemyConnection(SqlalchemySession):
    spare = True

    async def open(self):
        await Driver.open(self)
        self.conn = ENGINE.connect()


class SqlalchemyAsyncSession(SqlalchemySession):
    is_async = True

    async def open(self):
        await Driver.open(self)
        self.conn = AsyncSession(ASYNC_ENGINE, future=True)

    async def close(self):
        await self.conn.close()


class SqlalchemyAsyncConnection(SqlalchemyAsyncSession):
    spare = True

    async def open(self):
        await Driver.open(self)
        self.conn = await ASYNC_ENGINE.connect()


class Django(Driver):
    async def open(self):
        await super().open()
        self.conn = django.db.connection

    def block(self, depth):
        return django.db.transaction.atomic()


ALL = [Psycopg, PsycopgAsync, Psycopg2, Asyncpg, AsyncpgOfPool, SqlalchemySession, SqlalchemyConnection, SqlalchemyAsyncSession,
       SqlalchemyAsyncConnection, Django]
