"""celery.signals: those of the task that is executed, and of the process' start and end. Who wants another hears of it when it connects."""

from __future__ import annotations

import logging
from typing import Any, Callable, NoReturn

import dormouse


class Signal:
    def __init__(self, name: str):
        self.name = name
        self._receivers: list[tuple[Any, Callable[..., Any]]] = []

    def connect(self, *given: Any, sender: Any = None, weak: bool = True, dispatch_uid: Any = None, **_: Any) -> Any:
        def register(function: Callable[..., Any]) -> Callable[..., Any]:
            self._receivers.append((sender, function))
            return function

        return register(given[0]) if given else register

    def disconnect(self, function: Any = None, sender: Any = None, **_: Any) -> None:
        self._receivers = [one for one in self._receivers if one[1] is not function]

    def send(self, sender: Any = None, **given: Any) -> None:
        """What a receiver raises is in the log, and is not the task's."""
        for wanted, function in self._receivers:
            if wanted is None or wanted is sender or wanted == getattr(sender, "name", None):
                try:
                    function(signal=self, sender=sender, **given)
                except Exception:
                    logging.getLogger(__name__).exception("a receiver of %s", self.name)


class _OfProcess(Signal):
    def __init__(self, name: str, hook: Callable[..., Any], **given: Any):
        super().__init__(name)
        hook(lambda: self.send(**given))


task_prerun, task_postrun, task_success, task_failure, task_retry = map(Signal, ("task_prerun", "task_postrun", "task_success", "task_failure", "task_retry"))
worker_process_init, worker_init, worker_ready = (_OfProcess(name, dormouse.on_start) for name in ("worker_process_init", "worker_init", "worker_ready"))
setup_logging = _OfProcess("setup_logging", dormouse.on_start, loglevel=logging.INFO, logfile=None, format=None, colorize=False)
worker_process_shutdown, worker_shutdown = (_OfProcess(name, dormouse.on_stop) for name in ("worker_process_shutdown", "worker_shutdown"))


_AROUND = "a function of yours that calls .delay(), or apply_async() of a class of yours (base=), does it around the call"
_INSTEAD = {
    "before_task_publish": _AROUND, "after_task_publish": _AROUND, "task_sent": _AROUND,
    "task_revoked": "a task that runs is ended by dormouse.Cancelled: try/finally; for one that waits, do it where revoke() is called",
    "task_received": "task_prerun", "task_rejected": "task_postrun, whose state is REJECTED", "task_internal_error": "task_failure",
    "task_unknown": "dormouse status names runs whose task no pool has", "after_setup_logger": "setup_logging", "after_setup_task_logger": "setup_logging",
    "celeryd_init": "worker_init", "celeryd_after_setup": "worker_init", "worker_shutting_down": "worker_shutdown",
    "worker_before_create_process": "worker_process_init", "beat_init": "a timer enqueues: docs/moving/from-cron.md",
    "beat_embedded_init": "a timer enqueues: docs/moving/from-cron.md", "import_modules": "import them in the module with the app",
}


class _Absent:
    def __init__(self, name: str):
        self.name = name

    def connect(self, *_: Any, **__: Any) -> NoReturn:
        raise NotImplementedError(f"the signal {self.name} of Celery is not in dormouse; {_INSTEAD.get(self.name, 'docs/moving/from-celery.md says what replaces what')}. "
                                  f"There are {', '.join(sorted(_there))}")


_there = [name for name, value in vars().items() if isinstance(value, Signal)]


def __getattr__(name: str) -> Any:
    if name.startswith("_"):
        raise AttributeError(name)
    return _Absent(name)
