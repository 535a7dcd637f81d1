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


class _Absent:
    def __init__(self, name: str):
        self.name = name

    def connect(self, *_: Any, **__: Any) -> NoReturn:
        raise NotImplementedError(f"the signal {self.name} of Celery is not in dormouse; there are {', '.join(sorted(_there))}")


_there = [name for name, value in vars().items() if isinstance(value, Signal)]


def __getattr__(name: str) -> Any:
    if name.startswith("_"):
        raise AttributeError(name)
    return _Absent(name)
