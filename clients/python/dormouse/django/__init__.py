"""A backend of Django's tasks (django.tasks of Django 6, or django_tasks, its backport):

    TASKS = {"default": {"BACKEND": "dormouse.django.Backend", "QUEUES": ["default", "mail"]}}

enqueue() is part of the transaction of the connection, and rings after its commit. One task of the pool executes them all: its command is
python3 -m dormouse.django, with DJANGO_SETTINGS_MODULE. OPTIONS: "database", a name of DATABASES ("default"); "task", the pool's task
("django"); "max_attempts" and "timeout" of each run (by itself those of the task's table).
"""

from __future__ import annotations

import builtins
import datetime
import json
import uuid
from typing import Any

import dormouse
from django.core.exceptions import ImproperlyConfigured
from django.db import connections
from django.utils.module_loading import import_string

try:
    from django.tasks import exceptions, signals
    from django.tasks.backends.base import BaseTaskBackend
    from django.tasks.base import Task, TaskContext, TaskError, TaskResult, TaskResultStatus
except ImportError:
    try:
        from django_tasks import exceptions, signals
        from django_tasks.backends.base import BaseTaskBackend
        from django_tasks.base import Task, TaskContext, TaskError, TaskResult, TaskResultStatus
    except ImportError:
        raise ImportError("dormouse.django needs django.tasks (Django 6 or later), or django_tasks, its backport") from None

_STATUS = {"completed": TaskResultStatus.SUCCESSFUL, "failed": TaskResultStatus.FAILED, "canceled": TaskResultStatus.FAILED,
           "running": TaskResultStatus.RUNNING}
_OPTIONS = ("database", "task", "max_attempts", "timeout")
_FOUND = """SELECT CAST(json_build_array(r.payload, r.status, r.result, r.error, r.attempts, extract(epoch FROM r.created_at), extract(epoch FROM r.started_at),
                   extract(epoch FROM r.finished_at)) AS text) FROM dormouse.runs r WHERE r.id = %s AND r.task = %s"""


def _time(seconds: float | None) -> datetime.datetime | None:
    return None if seconds is None else datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc)


def task_at(path: Any) -> Any:
    """The task of a payload. Only what is a task is imported for its name."""
    if not isinstance(path, str) or "." not in path:
        raise dormouse.BadPayload('payload: expected {"task": "module.function", "args": […], "kwargs": {…}}, as enqueue() makes it')
    found = import_string(path)
    if not isinstance(found, Task):
        raise dormouse.BadPayload(f"payload.task: {path} is not a task: put @task above the function")
    return found


class Backend(BaseTaskBackend):
    supports_defer = True
    supports_async_task = True
    supports_get_result = True
    supports_priority = True

    def __init__(self, alias: str, params: dict[str, Any]):
        super().__init__(alias, params)
        unknown = set(self.options) - set(_OPTIONS)
        if unknown:
            raise ImproperlyConfigured(f"TASKS[{alias!r}]: OPTIONS has {', '.join(sorted(unknown))}; dormouse.django knows {', '.join(_OPTIONS)}")
        self.task_name = self.options.get("task", "django")

    @property
    def connection(self) -> Any:
        return connections[self.options.get("database", "default")]

    def enqueue(self, task: Any, args: Any, kwargs: Any) -> Any:
        self.validate_task(task)
        now = datetime.datetime.now(datetime.timezone.utc)
        result = self.result_of(task, "", args, kwargs, enqueued_at=now)  # first: it refuses what is no JSON
        payload = {"task": task.module_path, "args": result.args, "kwargs": result.kwargs}
        run_at = task.run_after if task.run_after is None or task.run_after.utcoffset() is not None else task.run_after.astimezone()
        run = dormouse.enqueue(self.connection, self.task_name, payload, queue=task.queue_name, priority=-task.priority, run_at=run_at,
                               max_attempts=self.options.get("max_attempts"), timeout=self.options.get("timeout"))
        object.__setattr__(result, "id", str(run))
        signals.task_enqueued.send(type(self), task_result=result)
        return result

    def get_result(self, result_id: str) -> Any:
        """The login has to be allowed to read dormouse.runs: a member of dormouse_reader."""
        try:
            run = str(uuid.UUID(str(result_id)))
        except ValueError:
            raise exceptions.TaskResultDoesNotExist(result_id) from None
        with self.connection.cursor() as cursor:
            cursor.execute(_FOUND, [run, self.task_name])
            row = cursor.fetchone()
        if row is None:
            raise exceptions.TaskResultDoesNotExist(result_id)
        payload, status, value, error, attempts, enqueued, started, finished = json.loads(row[0])
        task = task_at(payload.get("task"))
        result = self.result_of(task, run, payload.get("args", []), payload.get("kwargs", {}), status=_STATUS.get(status, TaskResultStatus.READY),
                                enqueued_at=_time(enqueued), started_at=_time(started), last_attempted_at=_time(started), finished_at=_time(finished),
                                errors=[_error(error)] if error else [], worker_ids=["dormouse"] * attempts)
        object.__setattr__(result, "_return_value", value)
        return result

    def result_of(self, task: Any, id: str, args: Any, kwargs: Any, **more: Any) -> Any:
        blank: dict[str, Any] = {"status": TaskResultStatus.READY, "enqueued_at": None, "started_at": None, "finished_at": None, "last_attempted_at": None,
                                 "errors": [], "worker_ids": []}
        return TaskResult(task=task, id=id, args=list(args), kwargs=dict(kwargs), backend=self.alias, **{**blank, **more})


def _error(error: dict[str, Any]) -> Any:
    """The database has the class's name alone: one of Python's own is named by its path, all others as Exception; the traceback has both."""
    name = str(error.get("class", ""))
    known = isinstance(getattr(builtins, name, None), type)
    return TaskError(exception_class_path=f"builtins.{name}" if known else "builtins.Exception", traceback=f"{name}: {error.get('message', '')}")


def execute(payload: Any, run: Any) -> Any:
    """What the pool's task does."""
    task = task_at(payload.get("task") if isinstance(payload, dict) else None)
    backend = task.get_backend()
    now = datetime.datetime.now(datetime.timezone.utc)
    result = backend.result_of(task, run.id, payload.get("args", []), payload.get("kwargs", {}), status=TaskResultStatus.RUNNING, started_at=now,
                               last_attempted_at=now, worker_ids=["dormouse"] * run.attempt)
    signals.task_started.send(sender=type(backend), task_result=result)
    given = [TaskContext(task_result=result)] if task.takes_context else []
    try:
        value = task.call(*given, *result.args, **result.kwargs)
    except Exception as error:
        again = isinstance(error, (dormouse.Retry, dormouse.Snooze)) or run.attempt < run.max_attempts and not getattr(error, "permanent", False)
        _finish(backend, result, TaskResultStatus.READY if again else TaskResultStatus.FAILED)
        raise
    _finish(backend, result, TaskResultStatus.SUCCESSFUL)
    return value


def _finish(backend: Any, result: Any, status: Any) -> None:
    object.__setattr__(result, "status", status)
    if result.is_finished:
        object.__setattr__(result, "finished_at", datetime.datetime.now(datetime.timezone.utc))
        signals.task_finished.send(type(backend), task_result=result)
