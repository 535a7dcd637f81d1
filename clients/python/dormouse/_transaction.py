"""transaction(): a block of psycopg, psycopg2 or asyncpg that rings after its commit."""

from __future__ import annotations

import contextlib
from typing import Any, AsyncIterator, Iterator

from dormouse._connections import Async, Asyncpg, AsyncPsycopg, Psycopg, Psycopg2, before, blocks, connection
from dormouse._ring import may_be_committed, ring_all, to_the_end

_SAVEPOINT = "dormouse_block"
_OTHERS = ("transaction(): the connection is in a transaction that something else ends (conn.transaction(), psycopg2's `with conn:`, or BEGIN), and "
           "nobody would ring after its commit. Begin that one with dormouse.transaction(conn), too; or leave this block out, and call "
           "dormouse.ring() after the commit")
_FAILED = ("transaction(): the transaction was rolled back, because one of its statements had failed. Let the exception leave the block, or put the "
           "statement into a dormouse.transaction() of its own")


class transaction:
    """`with dormouse.transaction(conn):`, or `async with`: commits at its end, or rolls back on an exception, and after the commit rings
    for the runs enqueued on `conn`. A transaction that the driver began for an earlier statement is committed or rolled back as a whole. Within
    another block it is a savepoint, and the outermost dormouse.transaction() rings. ValueError in a transaction that something else ends."""

    def __init__(self, conn: Any):
        self._raw = connection(conn)
        if not isinstance(self._raw, (Psycopg, Psycopg2, AsyncPsycopg, Asyncpg)):
            raise TypeError(f"transaction() is for psycopg, psycopg2 and asyncpg; {type(conn).__qualname__} rings by itself after its commit: use "
                            "session.begin(), engine.begin() or django.db.transaction.atomic()")
        self._conn = self._raw.raw
        self._outer: set[str] | None = None
        self._continues = False  # the transaction that the driver has begun
        self._block: Any = None

    def _begin(self) -> None:
        self._outer = blocks.get(id(self._conn))
        self._continues = self._outer is None and bool(self._raw.in_transaction())
        if self._continues and not self._raw.begun_by_driver():
            raise ValueError(_OTHERS)
        earlier = before.pop(self._conn, set()) if self._outer is None and self._raw.begins else set()
        blocks[id(self._conn)] = earlier if self._continues else set()

    def _end(self, committed: bool) -> None:
        owed = blocks.pop(id(self._conn), set())
        if self._outer is not None:
            blocks[id(self._conn)] = self._outer
        if committed and self._outer is not None:
            self._outer |= owed
        elif committed:
            ring_all(owed, wait=not self._raw.is_async)

    def _lost(self, error: tuple[Any, ...]) -> RuntimeError | None:
        """Where COMMIT would roll back without a word."""
        return RuntimeError(_FAILED) if error[0] is None and self._outer is None and self._raw.failed() else None

    def __enter__(self) -> Any:
        if isinstance(self._raw, Async):
            raise TypeError("transaction(): the connection is an async one: async with")
        if isinstance(self._raw, Psycopg):
            self._raw.settle()
        self._begin()
        if isinstance(self._raw, Psycopg):
            self._block = _whole(self._conn) if self._continues else self._conn.transaction()
        else:
            self._block = self._conn if self._outer is None else _Savepoint(self._conn)
        try:
            self._block.__enter__()
        except BaseException as error:
            self._end(False)
            if self._block is self._conn and type(error).__name__ == "ProgrammingError":  # within the caller's `with conn:`
                raise ValueError(_OTHERS) from error
            raise
        return self._conn

    def __exit__(self, *error: Any) -> bool:
        lost = self._lost(error)
        committed = error[0] is None and lost is None
        try:
            stopped = bool(self._block.__exit__(*((RuntimeError, lost, None) if lost else error)))
        except BaseException as failure:
            committed = committed and may_be_committed(failure)
            raise
        finally:
            self._end(committed)
        if lost:
            raise lost
        return stopped

    async def __aenter__(self) -> Any:
        if not isinstance(self._raw, Async):
            raise TypeError("transaction(): the connection is not an async one: with, without async")
        if isinstance(self._raw, AsyncPsycopg):
            await self._raw.settle()
        self._begin()
        self._block = _async_whole(self._conn) if self._continues else self._conn.transaction()
        try:
            await self._block.__aenter__()
        except BaseException:
            self._end(False)
            raise
        return self._conn

    async def __aexit__(self, *error: Any) -> bool:
        lost = self._lost(error)
        committed = error[0] is None and lost is None
        end = self._block.__aexit__(*((RuntimeError, lost, None) if lost else error))
        try:
            stopped = bool(await (to_the_end(end) if committed and self._outer is None and blocks.get(id(self._conn)) else end))
        except BaseException as failure:
            committed = committed and may_be_committed(failure)
            raise
        finally:
            self._end(committed)
        if lost:
            raise lost
        return stopped


@contextlib.contextmanager
def _whole(conn: Any) -> Iterator[None]:
    """psycopg's transaction that an earlier statement has begun: it is ended as by `with conn:` of psycopg2."""
    finished = False
    try:
        with conn.transaction():  # within which conn.commit() is refused
            yield
            finished = True
    except BaseException:
        with contextlib.suppress(Exception):  # what has been raised says more than a connection that is lost
            conn.rollback()
        raise
    conn.commit() if finished else conn.rollback()  # psycopg.Rollback goes no further


@contextlib.asynccontextmanager
async def _async_whole(conn: Any) -> AsyncIterator[None]:
    finished = False
    try:
        async with conn.transaction():
            yield
            finished = True
    except BaseException:
        with contextlib.suppress(Exception):
            await conn.rollback()
        raise
    await (conn.commit() if finished else conn.rollback())


class _Savepoint:
    """For psycopg2, which has none of its own."""

    def __init__(self, conn: Any):
        self._conn = conn

    def _say(self, statement: str) -> None:
        with self._conn.cursor() as cursor:
            cursor.execute(statement)

    def __enter__(self) -> None:
        self._say(f"SAVEPOINT {_SAVEPOINT}")

    def __exit__(self, kind: Any, *rest: Any) -> None:
        if kind is not None:
            self._say(f"ROLLBACK TO SAVEPOINT {_SAVEPOINT}")
        self._say(f"RELEASE SAVEPOINT {_SAVEPOINT}")
