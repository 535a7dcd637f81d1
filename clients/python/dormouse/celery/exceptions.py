"""celery.exceptions. A limit of time is SoftTimeLimitExceeded in the task; whatever else ends it is dormouse.Cancelled. `except Exception` lets both pass."""

from dormouse.celery._exceptions import Ignore, MaxRetriesExceededError, Reject, Retry, SoftTimeLimitExceeded
from dormouse.celery._result import TaskRevokedError

TimeLimitExceeded = SoftTimeLimitExceeded  # who catches both means the same by it
TimeoutError = TimeoutError

__all__ = ["Ignore", "MaxRetriesExceededError", "Reject", "Retry", "SoftTimeLimitExceeded", "TaskRevokedError", "TimeLimitExceeded", "TimeoutError"]
