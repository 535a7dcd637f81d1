"""The caller's connection, whatever it is: how to ask it for one value inside its transaction, and how to hear of the commit.

Drivers are told apart by where their classes come from, so that none is imported here; wrappers that hide it, by what they can do."""

from __future__ import annotations

import inspect
import re
from typing import Any, Callable, FrozenSet, Sequence, TypeVar

from dormouse._ring import ring_all

T = TypeVar("T")
Targets = FrozenSet[str]  # of doorbells
_PLACEHOLDER = re.compile(r"\$(\d+)")

blocks: dict[int, set[str]] = {}  # connections with an open dormouse.transaction(), and whom it rings at its end


def _with_percents(statement: str, parameters: Sequence[str | None]) -> tuple[str, tuple[str | None, ...]]:
    return _PLACEHOLDER.sub("%s", statement), tuple(parameters[int(number) - 1] for number in _PLACEHOLDER.findall(statement))


class Sync:
    """A DB-API connection; also where nothing is known but that it has cursors."""

    is_async = False

    def __init__(self, raw: Any):
        self.raw = raw

    def cursor(self) -> Any:
        return self.raw.cursor()

    def value(self, statement: str, parameters: Sequence[str | None]) -> Any:
        cursor = self.cursor()
        try:
            cursor.execute(*_with_percents(statement, parameters))
            row = cursor.fetchone()
        finally:
            cursor.close()
        return next(iter(row.values())) if isinstance(row, dict) else row[0]

    def in_transaction(self) -> bool | None:
        """None: it cannot be told."""
        status = getattr(getattr(self.raw, "info", None), "transaction_status", None)
        if status is not None:
            return int(status) != 0
        autocommit = getattr(self.raw, "autocommit", None)
        return False if autocommit is True else None

    def after_commit(self, targets: Targets) -> None:
        block = blocks.get(id(self.raw))
        if block is not None:
            block |= targets
        elif self.in_transaction() is False:
            ring_all(targets, wait=not self.is_async)

    def leave(self) -> None:
        """Ends the transaction that a question of ours has begun."""
        if self.in_transaction():
            self.raw.rollback()

    def run(self, statement: str, parameters: Sequence[str | None], convert: Callable[[Any], T], targets: Targets = frozenset()) -> T:
        value = self.value(statement, parameters)
        if targets:
            self.after_commit(targets)
        return convert(value)


class Psycopg(Sync):
    def cursor(self) -> Any:
        import psycopg
        from psycopg.rows import tuple_row

        return psycopg.Cursor(self.raw, row_factory=tuple_row)  # whatever factories the connection has


class Psycopg2(Sync):
    def cursor(self) -> Any:
        import psycopg2.extensions

        return self.raw.cursor(cursor_factory=psycopg2.extensions.cursor)


class _Rings:
    def __init__(self, targets: Targets):
        self.targets = targets

    def __call__(self) -> None:
        ring_all(self.targets)


class Django(Sync):
    def in_transaction(self) -> bool | None:
        return bool(self.raw.in_atomic_block or not self.raw.get_autocommit())

    def after_commit(self, targets: Targets) -> None:
        if not self.raw.in_atomic_block and not self.raw.get_autocommit():
            return  # Django has no on_commit there: the caller rings
        if any(isinstance(function, _Rings) and function.targets >= targets for _, function, *_ in self.raw.run_on_commit):
            return  # that one is gone only if this one would be, too: by the rollback of a savepoint that is around both
        self.raw.on_commit(_Rings(targets))


class Async(Sync):
    """An awaitable connection with psycopg's cursors."""

    is_async = True

    async def value(self, statement: str, parameters: Sequence[str | None]) -> Any:
        cursor = self.cursor()
        try:
            await cursor.execute(*_with_percents(statement, parameters))
            row = await cursor.fetchone()
        finally:
            await cursor.close()
        return next(iter(row.values())) if isinstance(row, dict) else row[0]

    async def leave(self) -> None:  # type: ignore[override]
        if self.in_transaction():
            await self.raw.rollback()

    async def run(self, statement: str, parameters: Sequence[str | None], convert: Callable[[Any], T],  # type: ignore[override]
                  targets: Targets = frozenset()) -> T:
        value = await self.value(statement, parameters)
        if targets:
            self.after_commit(targets)
        return convert(value)


class AsyncPsycopg(Async):
    def cursor(self) -> Any:
        import psycopg
        from psycopg.rows import tuple_row

        return psycopg.AsyncCursor(self.raw, row_factory=tuple_row)


class Asyncpg(Async):
    async def value(self, statement: str, parameters: Sequence[str | None]) -> Any:
        return await self.raw.fetchval(statement, *parameters)

    def in_transaction(self) -> bool | None:
        return bool(self.raw.is_in_transaction())


def connection(given: Any) -> Sync:
    names = {f"{kind.__module__.partition('.')[0]}.{kind.__name__}" for kind in type(given).__mro__}
    if names & {"psycopg.Cursor", "psycopg.AsyncCursor", "psycopg2.cursor", "psycopg2.extensions.cursor"}:
        return connection(given.connection)
    if "psycopg.Connection" in names:
        return Psycopg(given)
    if "psycopg.AsyncConnection" in names:
        return AsyncPsycopg(given)
    if names & {"psycopg2.connection"}:
        return Psycopg2(given)
    if any(name.startswith("sqlalchemy.") for name in names):
        from dormouse import sqlalchemy

        return sqlalchemy.connection(given)
    if _can(given, "on_commit") and hasattr(given, "alias"):
        if given.vendor != "postgresql":
            raise TypeError(f"the database {given.alias!r} of Django is {given.vendor}, and dormouse's runs are in Postgres; give "
                            "django.db.connections[NAME] of that one")
        return Django(given)
    if _can(given, "fetchval") and _can(given, "is_in_transaction"):
        return Asyncpg(given)
    if _can(given, "cursor") and not _can(given, "getconn") and not _can(given, "acquire"):
        return Async(given) if inspect.iscoroutinefunction(given.execute if _can(given, "execute") else None) else Sync(given)
    raise TypeError(f"{type(given).__module__}.{type(given).__qualname__} is not a connection with a transaction of yours; give a connection of "
                    "psycopg, psycopg2 or asyncpg (from a pool: the one you took out of it), a Session or Connection of SQLAlchemy, or "
                    "django.db.connection")


def _can(given: Any, name: str) -> bool:
    return callable(getattr(given, name, None))
