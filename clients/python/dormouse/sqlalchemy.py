"""SQLAlchemy 1.4 and 2, sync and async. Sessions and connections are given to dormouse.enqueue() and the like as they are, and ring
after the commit. Sessions that enqueue by SQL of their own ring, too, if this is said once, where they are made:

    Session = sessionmaker(engine)
    ring_after_commit(Session, "default")

It sees whatever the session sends that names dormouse.enqueue, dormouse.enqueue_many or dormouse.runs: text, Core or mapped
classes. For what it cannot see, such as a function of your own that enqueues, call rings(session, "default"). AsyncSession: pass its
sync_session_class.
"""

from __future__ import annotations

import re
import sys
from typing import Any, Sequence

from dormouse._connections import Async, Sync, Targets
from dormouse._ring import may_be_committed, ring_all, ring_now_and_later
from sqlalchemy import event, text

_ENQUEUES = re.compile(r'\b"?dormouse"?\."?(enqueue|runs\b)|\binsert\s+into\s+runs\b', re.IGNORECASE)
_PLACEHOLDER = re.compile(r"\$(\d+)")
_OWED, _DUE, _ASYNC, _COMMITS = "dormouse_owed", "dormouse_due", "dormouse_async", "dormouse_commits"


def rings(session: Any, target: str = "default") -> None:
    """Says that the session's transaction enqueues something: `target` is rung after its commit."""
    _owe(session, frozenset([target]))


def ring_after_commit(sessions: Any, target: str = "default") -> None:
    """`sessions` is a Session, a sessionmaker or a class of sessions; `target` is dormouse.ring()'s. One ring for each transaction, none
    after a rollback."""

    def after_begin(session: Any, transaction: Any, connection: Any) -> None:
        def after_execute(conn: Any, cursor: Any, statement: str, parameters: Any, context: Any, executemany: bool) -> None:
            if _ENQUEUES.search(statement):
                rings(session, target)

        if not transaction.nested:  # a savepoint is on the same connection
            event.listen(connection, "after_cursor_execute", after_execute)

    event.listen(sessions, "after_begin", after_begin)


# --- Session ------------------------------------------------------------------------------------------------------------------


def _owe(session: Any, targets: Targets) -> None:
    session.info.setdefault(_OWED, {}).setdefault(session.get_nested_transaction(), set()).update(targets)
    for name, listener in (("before_commit", _before_commit), ("after_commit", _after_commit), ("after_transaction_end", _after_end)):
        if not event.contains(session, name, listener):
            event.listen(session, name, listener)


def _before_commit(session: Any) -> None:
    if session.get_nested_transaction() is None:
        session.info[_COMMITS] = True


def _after_commit(session: Any) -> None:
    """Also of a savepoint: what it owes is then owed by what is around it."""
    owed = session.info.get(_OWED, {})
    savepoint = session.get_nested_transaction()
    if savepoint is None:
        ring_all(frozenset().union(*owed.values()), wait=not session.info.get(_ASYNC))
        owed.clear()
    elif savepoint in owed:
        around = savepoint.parent
        while around is not None and not around.nested:
            around = around.parent
        owed.setdefault(around, set()).update(owed.pop(savepoint))


def _after_end(session: Any, transaction: Any) -> None:
    """What is owed still was rolled back, or its commit was cut off."""
    owed = session.info.get(_OWED, {})
    if transaction.parent is None:
        if session.info.pop(_COMMITS, False) and owed and may_be_committed(sys.exc_info()[1]):
            ring_now_and_later(frozenset().union(*owed.values()), wait=not session.info.get(_ASYNC))
        owed.clear()
    owed.pop(transaction, None)


# --- Connection: it has an event before its commit, and one when it has gone back to its pool ---------------------------------------


def _owe_core(conn: Any, targets: Targets) -> None:
    if _autocommits(conn):
        return ring_all(targets, wait=not conn.dialect.is_async)
    conn.info.setdefault(_OWED, set()).update(targets)
    for name, listener in (("commit", _on_commit), ("rollback", _on_rollback), ("begin", _pay)):
        if not event.contains(conn, name, listener):
            event.listen(conn, name, listener)
    for name, of_pool in (("checkin", _on_checkin), ("invalidate", _on_invalidate)):
        if not event.contains(conn.engine.pool, name, of_pool):
            event.listen(conn.engine.pool, name, of_pool)


def _autocommits(conn: Any) -> bool:
    level = conn.get_execution_options().get("isolation_level") or getattr(conn.dialect, "_on_connect_isolation_level", None)
    return bool((level or getattr(conn.dialect, "isolation_level", None)) == "AUTOCOMMIT")


def _on_commit(conn: Any) -> None:
    conn.info.setdefault(_DUE, set()).update(conn.info.pop(_OWED, ()))


def _on_rollback(conn: Any) -> None:
    conn.info.pop(_OWED, None)


def _pay(conn: Any) -> None:
    ring_all(conn.info.pop(_DUE, ()), wait=not conn.dialect.is_async)


def _on_checkin(dbapi_connection: Any, record: Any) -> None:
    ring_all(record.info.pop(_DUE, ()), wait=False)
    record.info.pop(_OWED, None)


def _on_invalidate(dbapi_connection: Any, record: Any, error: BaseException | None) -> None:
    ring_now_and_later(frozenset(record.info.pop(_DUE, ())), wait=False)


# --- what dormouse.enqueue() takes ---------------------------------------------------------------------------------------------------


def _statement(statement: str, parameters: Sequence[str | None]) -> tuple[Any, dict[str, str | None]]:
    return text(_PLACEHOLDER.sub(r":p\1", statement)), {f"p{number}": one for number, one in enumerate(parameters, 1)}


class _Sqlalchemy(Sync):
    def __init__(self, raw: Any, sync: Any, is_session: bool):
        super().__init__(raw)
        self.sync, self.is_session = sync, is_session

    def value(self, statement: str, parameters: Sequence[str | None]) -> Any:
        return self.raw.execute(*_statement(statement, parameters)).scalar()

    def in_transaction(self) -> bool | None:
        return bool(self.sync.in_transaction()) and (self.is_session or not _autocommits(self.sync))

    def autocommits(self) -> bool:
        return not self.is_session and _autocommits(self.sync)

    def after_commit(self, targets: Targets) -> None:
        if not self.is_session:
            return _owe_core(self.sync, targets)
        if self.is_async:
            self.sync.info[_ASYNC] = True
        _owe(self.sync, targets)


class _AsyncSqlalchemy(_Sqlalchemy, Async):
    is_async = True
    run = Async.run
    leave = Async.leave

    async def value(self, statement: str, parameters: Sequence[str | None]) -> Any:
        return (await self.raw.execute(*_statement(statement, parameters))).scalar()


def connection(given: Any) -> Sync:
    registry = getattr(given, "registry", None)
    if callable(registry):  # scoped_session, async_scoped_session
        return connection(registry())
    dialect = getattr(given, "dialect", None)
    if hasattr(given, "sync_session"):
        return _AsyncSqlalchemy(given, given.sync_session, True)
    if hasattr(given, "sync_connection"):
        return _AsyncSqlalchemy(given, given.sync_connection, False)
    if hasattr(given, "execute") and hasattr(given, "get_bind"):
        return _Sqlalchemy(given, given, True)
    if hasattr(given, "execute") and hasattr(given, "in_transaction") and dialect is not None:
        return _Sqlalchemy(given, given, False)
    raise TypeError(f"{type(given).__qualname__} of SQLAlchemy has no transaction; give a Session, or a Connection: "
                    "with engine.begin() as conn: …")
