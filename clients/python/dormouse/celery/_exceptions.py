"""What a task raises, and what is raised in it."""

from __future__ import annotations

import datetime
import traceback
from typing import Any

import dormouse
from dormouse._errors import Cancelled, Fail
from dormouse.celery._times import aware


class MaxRetriesExceededError(Exception):
    """self.retry() without exc= at the last attempt."""


class Ignore(Exception):
    """Raised in a task: what it has done is enough, and there is no result."""


class Reject(Exception):
    """Raised in a task: failed for good; with requeue=True retried later, which does not count as an attempt."""

    def __init__(self, reason: Any = None, requeue: bool = False):
        super().__init__("rejected" if reason is None else str(reason))
        self.reason, self.requeue = reason, requeue


class Expired(Fail):
    """expires= had passed before the first attempt."""


class Retry(dormouse.Retry):
    """What self.retry() raises, with the members that Celery's has. when: a time, or seconds from now; in_ is the same for dormouse."""

    def __init__(self, message: str | None = None, exc: Any = None, when: Any = None, is_eager: bool = False, sig: Any = None, *, in_: Any = None,
                 **_: Any):
        delay = when if in_ is None else in_
        if isinstance(delay, datetime.datetime):
            delay = max((aware(delay) - datetime.datetime.now(datetime.timezone.utc)).total_seconds(), 0)
        what = exc if isinstance(exc, str) else "" if exc is None else f"{type(exc).__name__}: {exc}"
        super().__init__(message or what, in_=delay)
        self.message, self.exc, self.excs = message, None if isinstance(exc, str) else exc, what or None
        self.when, self.is_eager, self.sig = in_ if when is None else when, is_eager, sig

    def humanize(self) -> str:
        return f"in {self.when}s" if isinstance(self.when, (int, float)) else f"at {self.when}"


class SoftTimeLimitExceeded(Cancelled):
    """Raised in a task whose timeout has passed. Whatever else ends a task (revoke(), a worker that leaves) is dormouse.Cancelled. Neither is caught by
    `except Exception`: the run has timed out, whatever the task does then."""


class ExceptionInfo:
    """einfo of a hook or a signal."""

    def __init__(self, exception: BaseException):
        self.exception, self.type, self.tb = exception, type(exception), exception.__traceback__
        self.traceback = "".join(traceback.format_exception(type(exception), exception, exception.__traceback__))

    def __str__(self) -> str:
        return self.traceback
