"""The caller's connection, whatever it is: how to ask it for one value inside its transaction, and how to hear of the commit.

Drivers are told apart by where their classes come from, so that none is imported here; wrappers that hide it, by what they can do."""

from __future__ import annotations

import inspect
import re
from typing import Any, Callable, FrozenSet, MutableMapping, Sequence, TypeVar
from weakref import WeakKeyDictionary

from dormouse._ring import may_be_committed, ring_all, to_the_end

T = TypeVar("T")
Targets = FrozenSet[str]  # of doorbells
_PLACEHOLDER = re.compile(r"\$(\d+)")

_ACTIVE, _FAILED = 1, 3  # of libpq's states of a transaction

blocks: dict[int, set[str]] = {}  # connections with an open dormouse.transaction(), and whom it rings at its end
before: MutableMapping[Any, set[str]] = WeakKeyDictionary()  # connections, and whom to ring for what their open transaction enqueued outside of a block


def _with_percents(statement: str, parameters: Sequence[str | None]) -> tuple[str, tuple[str | None, ...]]:
    return _PLACEHOLDER.sub("%s", statement), tuple(parameters[int(number) - 1] for number in _PLACEHOLDER.findall(statement))


class Sync:
    """A DB-API connection; also where nothing is known but that it has cursors."""

    is_async = False
    begins = False  # whether the driver begins transactions by itself, where it does not autocommit

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
        status = self.status()
        if status is not None:
            return status != 0
        return False if self.autocommits() else None

    def status(self) -> int | None:
        status = getattr(getattr(self.raw, "info", None), "transaction_status", None)
        return None if status is None else int(status)

    def failed(self) -> bool:
        """Whether a statement of the transaction has failed, so that COMMIT rolls back."""
        return self.status() == _FAILED

    def autocommits(self) -> bool:
        return getattr(self.raw, "autocommit", None) is True

    def begun_by_driver(self) -> bool:
        """Whether the open transaction is one that the driver has begun because of a statement, so that conn.commit() is what ends it."""
        return self.begins and not self.autocommits()

    def after_commit(self, targets: Targets) -> None:
        block = blocks.get(id(self.raw))
        if block is not None:
            block |= targets
        elif self.in_transaction() is False or (self.status() == _ACTIVE and self.autocommits()):  # active: another thread's, or a pipeline
            ring_all(targets, wait=not self.is_async)
        elif self.begins:
            before.setdefault(self.raw, set()).update(targets)

    def commits_alone(self) -> bool:
        """Whether the next statement is a transaction by itself."""
        return id(self.raw) not in blocks and self.in_transaction() is False and self.autocommits()

    def ring_anyway(self, error: BaseException, targets: Targets) -> None:
        if may_be_committed(error):
            ring_all(targets, wait=not self.is_async)

    def leave(self) -> None:
        """Ends the transaction that a question of ours has begun."""
        if self.in_transaction():
            self.raw.rollback()

    def run(self, statement: str, parameters: Sequence[str | None], convert: Callable[[Any], T], targets: Targets = frozenset()) -> T:
        alone = bool(targets) and self.commits_alone()
        try:
            value = self.value(statement, parameters)
        except BaseException as error:
            if alone:
                self.ring_anyway(error, targets)
            raise
        if targets:
            self.after_commit(targets)
        return convert(value)


class Psycopg(Sync):
    begins = True

    def settle(self) -> None:
        """A pipeline does not tell the state of its transaction before it is waited for."""
        if self.status() == _ACTIVE:
            with self.raw.pipeline():
                pass

    def begun_by_driver(self) -> bool:
        return _psycopg_began(self)

    def cursor(self) -> Any:
        import psycopg
        from psycopg.rows import tuple_row

        return psycopg.Cursor(self.raw, row_factory=tuple_row)  # whatever factories the connection has


def _psycopg_began(of: Sync) -> bool:
    return not of.autocommits() and not getattr(of.raw, "_num_transactions", 0)  # blocks of conn.transaction(); within them commit() raises


class Psycopg2(Sync):
    begins = True

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

    def autocommits(self) -> bool:
        return not self.in_transaction()

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
        alone = bool(targets) and self.commits_alone()
        try:
            value = await (to_the_end(self.value(statement, parameters)) if alone else self.value(statement, parameters))
        except BaseException as error:
            if alone:
                self.ring_anyway(error, targets)
            raise
        if targets:
            self.after_commit(targets)
        return convert(value)


class AsyncPsycopg(Async):
    begins = True

    async def settle(self) -> None:
        if self.status() == _ACTIVE:
            async with self.raw.pipeline():
                pass

    def begun_by_driver(self) -> bool:
        return _psycopg_began(self)

    def cursor(self) -> Any:
        import psycopg
        from psycopg.rows import tuple_row

        return psycopg.AsyncCursor(self.raw, row_factory=tuple_row)


class Asyncpg(Async):
    async def value(self, statement: str, parameters: Sequence[str | None]) -> Any:
        return await self.raw.fetchval(statement, *parameters)

    def in_transaction(self) -> bool | None:
        return bool(self.raw.is_in_transaction())

    def autocommits(self) -> bool:
        return True


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
