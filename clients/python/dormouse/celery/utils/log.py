"""celery.utils.log."""

from dormouse.celery._app import get_task_logger

__all__ = ["get_task_logger"]
