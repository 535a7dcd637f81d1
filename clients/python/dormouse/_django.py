"""Django, where the process has one: what is done around a task, as around a request."""

from __future__ import annotations

import contextlib
import sys
from typing import Any, Iterator


def in_use() -> Any:
    """django.db, where it is in use."""
    conf = sys.modules.get("django.conf")
    return sys.modules.get("django.db") if conf is not None and conf.settings.configured else None


@contextlib.contextmanager
def fresh_connections() -> Iterator[None]:
    """Around a task, as around a request: no query is remembered for ever, and no connection is used that has gone meanwhile."""
    django = in_use()
    if django is None:
        yield
        return
    django.reset_queries()
    django.close_old_connections()
    try:
        yield
    finally:
        django.close_old_connections()
