"""The app: settings, the tasks' names and queues, and which modules have them."""

from __future__ import annotations

import fnmatch
import importlib
import importlib.util
import logging
import os
import sys
from typing import Any, Callable, Iterable

import dormouse
from dormouse.celery._absent import INSTEAD, refuse, refuse_options
from dormouse.celery._connection import connection_of
from dormouse.celery._result import AsyncResult
from dormouse.celery._task import WITHOUT_MEANING, Task, key_of, registered
from dormouse.celery._times import aware, until

_DEFAULTS: dict[str, Any] = {"broker_url": None, "task_always_eager": False, "task_eager_propagates": False, "task_default_queue": None,
                             "task_ignore_result": False, "task_routes": None, "task_time_limit": None, "task_soft_time_limit": None,
                             "imports": (), "include": ()}
_REFUSED = ("beat_schedule", "task_annotations", "task_default_rate_limit")
_OLD = {"always_eager": "task_always_eager", "eager_propagates_exceptions": "task_eager_propagates", "default_queue": "task_default_queue",
        "ignore_result": "task_ignore_result", "routes": "task_routes", "celerybeat_schedule": "beat_schedule",
        "celeryd_task_time_limit": "task_time_limit", "celeryd_task_soft_time_limit": "task_soft_time_limit", "annotations": "task_annotations"}


class Conf:
    """app.conf. What has a meaning here is in _DEFAULTS; a schedule is refused; all else (brokers, serializers, workers) is passed over."""

    def __init__(self) -> None:
        vars(self).update(_DEFAULTS, _source=None)

    def __setattr__(self, name: str, value: Any) -> None:
        name = _OLD.get(name, name)
        if name in _REFUSED and value:
            refuse(name)
        vars(self)[name] = value

    def __getattribute__(self, name: str) -> Any:
        source = vars(self).get("_source") if not name.startswith("_") else None
        if source is not None:
            vars(self)["_source"] = None
            self._read(*source)
        return object.__getattribute__(self, name)

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"dormouse.celery has no setting {name}; docs/moving/from-celery.md says which have a meaning here")

    def __getitem__(self, name: str) -> Any:
        return getattr(self, name)

    def __setitem__(self, name: str, value: Any) -> None:
        setattr(self, name, value)

    def get(self, name: str, default: Any = None) -> Any:
        return getattr(self, name, default)

    def update(self, *given: Any, **settings: Any) -> None:
        for name, value in dict(*given, **settings).items():
            setattr(self, name, value)

    def _read(self, source: Any, namespace: str | None) -> None:
        if isinstance(source, str):
            module, _, attribute = source.partition(":")
            source = importlib.import_module(module)
            source = getattr(source, attribute) if attribute else source
        prefix = f"{namespace}_".lower() if namespace else ""
        for name in source if isinstance(source, dict) else dir(source):
            short = name.lower()
            if name.startswith("_") or not short.startswith(prefix) or (prefix and not name.isupper()):
                continue
            short = short[len(prefix):] if prefix else short[len("celery_"):] if short.startswith("celery_") else short
            if _OLD.get(short, short) in (*_DEFAULTS, *_REFUSED):
                setattr(self, short, source[name] if isinstance(source, dict) else getattr(source, name))


class Celery:
    """connection: a function that returns what .delay() enqueues on, and in whose transaction: lambda: db.session. broker: a URL of Postgres
    instead; other brokers are passed over."""

    def __init__(self, main: str | None = None, broker: str | None = None, backend: Any = None, include: Iterable[str] = (), *,
                 connection: Callable[[], Any] | None = None, task_cls: type[Task] | str | None = None, **settings: Any):
        global _current
        self._task_class: type[Task] = Task
        if task_cls is not None:
            self.Task = getattr(importlib.import_module(task_cls.rpartition(".")[0]), task_cls.rpartition(".")[2]) if isinstance(task_cls, str) else task_cls
        self.main, self.conf, self.tasks, self._connection = main, Conf(), registered, connection
        self._modules: list[Callable[[], Iterable[str]]] = [lambda: (*include, *self.conf.include, *self.conf.imports)]
        self.conf.broker_url = broker
        self.conf.update({name: value for name, value in settings.items() if name in (*_DEFAULTS, *_REFUSED)})
        _current = self

    def __getattr__(self, name: str) -> Any:
        if name in INSTEAD:
            refuse(name)
        raise AttributeError(f"dormouse.celery has no Celery.{name}; docs/moving/from-celery.md says what there is")

    @property
    def Task(self) -> type[Task]:
        """The class of its tasks, and of shared tasks: those that are here already, too."""
        return self._task_class

    @Task.setter
    def Task(self, given: type[Task]) -> None:
        for task in registered.values():
            if type(task) is self._task_class and task._app in (_the_app, self._itself):
                task.__class__ = given
        self._task_class = given

    def _itself(self) -> Celery:
        return self

    def set_default(self) -> None:
        """The app that was made last is the default."""
        global _current
        _current = self

    set_current = set_default

    def task(self, *given: Any, name: str | None = None, **options: Any) -> Any:
        return _decorate(given, name, options, self.main, self._itself)

    def config_from_object(self, source: Any, silent: bool = False, force: bool = False, namespace: str | None = None) -> None:
        """Read when the first setting is asked for, as Celery does it."""
        self.conf._source = (source, namespace)

    def autodiscover_tasks(self, packages: Any = None, related_name: str = "tasks", force: bool = False) -> None:
        """load() imports tasks.py of these packages, or of Django's apps."""
        def found() -> Iterable[str]:
            names = packages() if callable(packages) else packages
            if names is None:
                from django.apps import apps

                names = [one.name for one in apps.get_app_configs()]
            return [f"{one}.{related_name}" for one in names if importlib.util.find_spec(f"{one}.{related_name}")]

        self._modules.append(found)

    def load(self) -> None:
        """Imports what has the tasks: include= and autodiscover_tasks(); sets Django up before, if there is one."""
        if os.environ.get("DJANGO_SETTINGS_MODULE"):
            import django

            django.setup()
        for modules in self._modules:
            for module in modules():
                importlib.import_module(module)

    def connection_for(self, given: Any = None) -> Any:
        url = self.conf.broker_url
        return connection_of(self._connection, url if url and url.startswith("postgres") else None, given)

    def queue_of(self, task: Task) -> str | None:
        routes = self.conf.task_routes
        if task.queue is None and routes:
            if not isinstance(routes, dict):
                raise TypeError("task_routes: dormouse.celery takes an object of names to {'queue': …}; say other routes with queue=")
            for pattern, route in routes.items():
                if fnmatch.fnmatchcase(task.name, pattern):
                    if isinstance(route, dict) and "queue" not in route:
                        refuse_options(route)
                        raise TypeError(f"task_routes: the route of {pattern!r} names no queue; say {{'queue': …}}")
                    return route["queue"] if isinstance(route, dict) else route
        return task.queue or self.conf.task_default_queue

    def send_task(self, name: str, args: Any = None, kwargs: Any = None, **options: Any) -> AsyncResult:
        """A task that is written elsewhere; with the attempts that its table says."""
        refuse_options(options)
        unknown = set(options) - {"countdown", "eta", "queue", "priority", "expires", "task_id", "time_limit", "soft_time_limit", "connection", "key", "ring",
                                  "ignore_result", "headers"} - WITHOUT_MEANING
        if unknown:
            raise TypeError(f"send_task({name!r}): dormouse.celery does not know {', '.join(sorted(unknown))}; the queue is queue=")
        payload = {"args": list(args or ()), "kwargs": dict(kwargs or {})}
        if options.get("expires") is not None:
            payload["expires"] = until(options["expires"])
        if options.get("headers"):
            payload["headers"] = dict(options["headers"])
        timeout = next((options[limit] for limit in ("soft_time_limit", "time_limit") if options.get(limit) is not None), None)
        eta = aware(options.get("eta"))
        run = dormouse.enqueue(self.connection_for(options.get("connection")), name, payload, key=key_of(name, options.get("task_id"), options.get("key")), run_at=eta,
                               delay=options.get("countdown") if eta is None else None, queue=options.get("queue") or self.conf.task_default_queue,
                               priority=options.get("priority"), timeout=timeout, ring=options.get("ring", True))
        return AsyncResult(run, self)

    def AsyncResult(self, id: Any) -> AsyncResult:
        return AsyncResult(id, self)

    @property
    def control(self) -> Any:
        return _Control(self)


class _Control:
    def __init__(self, app: Celery):
        self._app = app

    def revoke(self, id: Any, *_: Any, **__: Any) -> None:
        for one in id if isinstance(id, (list, tuple, set)) else [id]:
            AsyncResult(one, self._app).revoke()

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"dormouse.celery has no control.{name}; `dormouse status`, `dormouse workers` and `dormouse runs` show what goes on")


_current: Celery | None = None


def _the_app() -> Celery:
    """The app that was made last; shared tasks are its."""
    return _current or Celery()


class _CurrentApp:
    """celery.current_app: whatever is asked of it is asked of that app."""

    def __call__(self) -> Celery:
        return _the_app()

    def __getattr__(self, name: str) -> Any:
        return getattr(_the_app(), name)


current_app = _CurrentApp()


def shared_task(*given: Any, name: str | None = None, **options: Any) -> Any:
    return _decorate(given, name, options, None, _the_app)


def _decorate(given: Any, name: str | None, options: dict[str, Any], main: str | None, app: Callable[[], Celery]) -> Any:
    def register(function: Callable[..., Any]) -> Task:
        module = function.__module__ if function.__module__ != "__main__" else main or _stem()
        of = options.pop("base", None) or (_current.Task if _current is not None and app is _the_app else Task if app is _the_app else app().Task)
        if not (isinstance(of, type) and issubclass(of, Task)):
            raise TypeError(f"task {function.__name__!r}: base={of!r} is no class of dormouse.celery.Task")
        task = of()
        return task._define(function, name or f"{module}.{function.__name__}", app, bool(options.pop("bind", False)), options)

    return register(given[0]) if given and callable(given[0]) else register


def _stem() -> str:
    return os.path.splitext(os.path.basename(sys.argv[0] or "tasks"))[0]


def get_task_logger(name: str) -> logging.Logger:
    """celery.utils.log has it: logging's own."""
    return logging.getLogger(name)
