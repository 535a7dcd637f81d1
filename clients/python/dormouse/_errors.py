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
    """The run fails at once; with permanent=False it is tried again while attempts are left, as after any other exception."""

    def __init__(self, message: str = "", permanent: bool = True):
        super().__init__(message)
        self.permanent = permanent


class BadPayload(Fail):
    """The payload is not what the function's annotation asks for. Permanent; the message has the path of the fault."""


class BadResult(Fail):
    """The result cannot be written as JSON. Permanent."""


class ResultTooLarge(Fail):
    """The result, or what is enqueued with it, is over limits.result_bytes. Permanent."""


class _Again(Exception):
    def __init__(self, message: str = "", in_: float | datetime.timedelta | None = None):
        super().__init__(message)
        self.in_ = None if in_ is None else seconds("in_", in_)


class Retry(_Again):
    """It has failed, and is tried again in `in_` seconds (a number or a timedelta; without it as the task's backoff says), while attempts
    are left: it uses one up, as any other exception does."""


class Snooze(_Again):
    """Not now: again in `in_` seconds (without it the task's backoff.base). Uses up no attempt, however often, unless the task says
    snooze_counts: for what is to be waited for, not for what goes wrong."""


class Cancelled(BaseException):
    """Raised in a plain function whose run was cancelled: at once where functions are executed one at a time (it ends a
    blocking call, too), otherwise by the next run.progress() or run.heartbeat(). In async functions it is asyncio.CancelledError."""
