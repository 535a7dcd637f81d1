"""Which connection .delay() enqueues on: the one it is given, that of using(), of the app, of Django; else one of its own for each thread."""

from __future__ import annotations

import contextlib
import contextvars
import os
import threading
import time
from typing import Any, Callable, Iterator

from dormouse._django import in_use

_given: contextvars.ContextVar[Any] = contextvars.ContextVar("dormouse_celery_connection", default=None)
_own = threading.local()
_TRUSTED_S = 5  # for so long after it has been used, a connection is not asked whether it is still there


@contextlib.contextmanager
def using(conn: Any) -> Iterator[Any]:
    """Within the block .delay() and .apply_async() enqueue on `conn`, in its transaction: whatever dormouse.enqueue() takes."""
    token = _given.set(conn)
    try:
        yield conn
    finally:
        _given.reset(token)


def connection_of(function: Callable[[], Any] | None, url: str | None, given: Any = None) -> Any:
    given = given if given is not None else _given.get()
    if given is not None:
        return given
    if function is not None:
        return function()
    django = in_use()
    if url is None and django is not None and django.connection.vendor == "postgresql":
        return django.connection
    return _of_this_thread(url or os.environ.get("DORMOUSE_DATABASE_URL") or os.environ.get("DATABASE_URL") or "")


def _of_this_thread(url: str) -> Any:
    key = (os.getpid(), url)
    if getattr(_own, "key", None) != key:
        _own.key, _own.conn, _own.used = key, None, 0.0
    if _own.conn is not None and (_own.conn.closed or time.monotonic() - _own.used > _TRUSTED_S and not _lives(_own.conn)):
        _own.conn = None
    if _own.conn is None:
        _own.conn = _connect(url)
    _own.used = time.monotonic()
    return _own.conn


def _lives(conn: Any) -> bool:
    try:
        with conn.cursor() as cursor:
            cursor.execute("SELECT 1")
    except Exception:
        conn.close()
        return False
    return True


def _connect(url: str) -> Any:
    try:
        import psycopg

        return psycopg.connect(url, autocommit=True)
    except ImportError:
        pass
    try:
        import psycopg2
    except ImportError:
        raise ImportError("dormouse.celery: .delay() needs psycopg or psycopg2 (Debian packages python3-psycopg, python3-psycopg2), or a connection: "
                          "Celery(…, connection=function), using(conn), apply_async(…, connection=conn)") from None
    conn = psycopg2.connect(url)
    conn.autocommit = True
    return conn
