"""celery.result."""

from dormouse.celery._absent import GroupResult, ResultSet, allow_join_result
from dormouse.celery._result import AsyncResult, EagerResult

__all__ = ["AsyncResult", "EagerResult", "GroupResult", "ResultSet", "allow_join_result"]
