"""celery.exceptions. A limit of time, like whatever else ends a task, is dormouse.Cancelled in it, which `except Exception` lets pass."""

from dormouse import Cancelled, Retry
from dormouse.celery._result import TaskRevokedError
from dormouse.celery._task import Ignore, MaxRetriesExceededError, Reject

SoftTimeLimitExceeded = TimeLimitExceeded = Cancelled
TimeoutError = TimeoutError

__all__ = ["Ignore", "MaxRetriesExceededError", "Reject", "Retry", "SoftTimeLimitExceeded", "TaskRevokedError", "TimeLimitExceeded", "TimeoutError"]
