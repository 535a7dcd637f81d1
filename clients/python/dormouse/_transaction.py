"""transaction(): a block of psycopg, psycopg2 or asyncpg that rings after its commit."""

from __future__ import annotations

from typing import Any

from dormouse._connections import Async, Asyncpg, AsyncPsycopg, Psycopg, Psycopg2, blocks, connection
from dormouse._ring import ring_all

_SAVEPOINT = "dormouse_block"


class transaction:
    """`with dormouse.transaction(conn):`, or `async with`: commits at its end, or rolls back on an exception, and after the commit rings
    for the runs enqueued on `conn` inside. Within another block, or another transaction, it is a savepoint, and the outermost
    dormouse.transaction() rings."""

    def __init__(self, conn: Any):
        self._raw = connection(conn)
        if not isinstance(self._raw, (Psycopg, Psycopg2, AsyncPsycopg, Asyncpg)):
            raise TypeError(f"transaction() is for psycopg, psycopg2 and asyncpg; {type(conn).__qualname__} rings by itself after its commit: use "
                            "session.begin(), engine.begin() or django.db.transaction.atomic()")
        self._conn = self._raw.raw
        self._outer: set[str] | None = None
        self._block: Any = None

    def _begin(self) -> None:
        self._outer = blocks.get(id(self._conn))
        self._outermost = self._outer is None and not self._raw.in_transaction()
        blocks[id(self._conn)] = set()

    def _end(self, committed: bool) -> None:
        owed = blocks.pop(id(self._conn), set())
        if self._outer is not None:
            blocks[id(self._conn)] = self._outer
        if committed and self._outer is not None:
            self._outer |= owed
        elif committed and self._outermost:
            ring_all(owed, wait=not self._raw.is_async)

    def __enter__(self) -> Any:
        if isinstance(self._raw, Async):
            raise TypeError("transaction(): the connection is an async one: async with")
        self._begin()
        if isinstance(self._raw, Psycopg):
            self._block = self._conn.transaction()
        elif self._outermost:
            self._block = self._conn
        else:
            self._block = _Savepoint(self._conn)
        try:
            self._block.__enter__()
        except BaseException:
            self._end(False)
            raise
        return self._conn

    def __exit__(self, *error: Any) -> bool:
        committed = False
        try:
            stopped = bool(self._block.__exit__(*error))
            committed = error[0] is None
        finally:
            self._end(committed)
        return stopped

    async def __aenter__(self) -> Any:
        if not isinstance(self._raw, Async):
            raise TypeError("transaction(): the connection is not an async one: with, without async")
        self._begin()
        self._block = self._conn.transaction()
        try:
            await self._block.__aenter__()
        except BaseException:
            self._end(False)
            raise
        return self._conn

    async def __aexit__(self, *error: Any) -> bool:
        committed = False
        try:
            stopped = bool(await self._block.__aexit__(*error))
            committed = error[0] is None
        finally:
            self._end(committed)
        return stopped


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
