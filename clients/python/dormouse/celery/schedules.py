"""celery.schedules: none are here, and the error says what to do instead."""

from dormouse.celery._absent import crontab

__all__ = ["crontab"]
