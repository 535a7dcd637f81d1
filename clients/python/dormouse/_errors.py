"""What tasks raise, and what is raised in them."""

from __future__ import annotations

import datetime

_YEAR_S = 365 * 24 * 3600


def seconds(name: str, value: float | datetime.timedelta) -> float:
    value = value.total_seconds() if isinstance(value, datetime.timedelta) else float(value)
    if not value >= 0:
        raise ValueError(f"{name}={value}; it is a number of seconds, 0 or more")
    return min(value, _YEAR_S)


class Fail(Exception):
    """Fails the run for good; with permanent=False it is tried again while attempts are left, like after any other exception."""

    def __init__(self, message: str = "", permanent: bool = True):
        super().__init__(message)
        self.permanent = permanent


class BadPayload(Fail):
    """The payload does not match the function's annotation. Permanent; the message contains the path of the error."""


class BadResult(Fail):
    """The result cannot be written as JSON. Permanent."""


class ResultTooLarge(Fail):
    """The result, or the runs it enqueues, exceed limits.result_bytes. Permanent."""


class _Again(Exception):
    def __init__(self, message: str = "", in_: float | datetime.timedelta | None = None):
        super().__init__(message)
        self.in_ = None if in_ is None else seconds("in_", in_)


class Retry(_Again):
    """Fails the attempt, and tries again in `in_` seconds (a number or a timedelta; by default according to the task's backoff) while
    attempts are left. It uses an attempt, like any other exception."""


class Snooze(_Again):
    """Retries later, in `in_` seconds (by default the task's backoff.base), without using an attempt, any number of times (unless the task
    sets snooze_counts). Use it to wait for something, not for failures."""


class Cancelled(BaseException):
    """Raised in a plain function whose run was cancelled: at once if functions are executed one at a time (it also interrupts a
    blocking call), otherwise by the next run.progress() or run.heartbeat(). In async functions it is asyncio.CancelledError."""
