"""Tasks that were written for Celery, on dormouse: `from dormouse.celery import Celery, shared_task` in place of `from celery import …`.

A run has the payload {"args": […], "kwargs": {…}}, the task the name that Celery gives it. `python3 -m dormouse.celery proj` is the pool's
command, `python3 -m dormouse.celery --toml proj` prints the tables of its tasks for the pool's file. docs/moving/from-celery.md says what is
the same and what is not. What is not here raises an error that names what to do instead.
"""

from dormouse.celery import states
from dormouse.celery._absent import chain, chord, chunks, crontab, group, signature, xmap, xstarmap
from dormouse.celery._app import Celery, current_app, get_task_logger, shared_task
from dormouse.celery._connection import using
from dormouse.celery._exceptions import Expired, Ignore, MaxRetriesExceededError, Reject, Retry
from dormouse.celery._result import AsyncResult, EagerResult, TaskFailed, TaskRevokedError
from dormouse.celery._task import CurrentTask, Task

current_task = CurrentTask()
TimeoutError = TimeoutError  # celery.exceptions has one of its own

__all__ = ["AsyncResult", "Celery", "EagerResult", "Expired", "Ignore", "MaxRetriesExceededError", "Reject", "Retry", "Task", "TaskFailed", "TaskRevokedError",
           "TimeoutError", "chain", "chord", "chunks", "crontab", "current_app", "current_task", "get_task_logger", "group", "shared_task", "signature", "states", "using", "xmap", "xstarmap"]
