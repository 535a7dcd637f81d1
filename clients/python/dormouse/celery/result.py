"""celery.result."""

from dormouse.celery._result import AsyncResult, EagerResult

__all__ = ["AsyncResult", "EagerResult"]
