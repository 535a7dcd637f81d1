"""self.request: what a task may ask of the run that it is executed for."""

from __future__ import annotations

import contextvars
import socket
from typing import Any


class Request:
    """Of the run that is executed; or of a call like any other. What only a broker knows is None."""

    parent_id = group = group_index = chain = chord = callbacks = errbacks = taskset = eta = expires = timelimit = None
    shadow = origin = reply_to = properties = logfile = loglevel = ignore_result = stamps = stamped_headers = None
    utc = True

    def __init__(self, task: str, args: Any = (), kwargs: Any = None, id: str | None = None, retries: int = 0, attempts: int = 1, run: Any = None,
                 headers: Any = None):
        self.task, self.args, self.kwargs, self.id, self.retries = task, list(args), kwargs or {}, id, retries
        self.run, self.attempts, self.called_directly, self.headers = run, attempts, id is None, headers
        self.root_id = self.correlation_id = id
        self.hostname = socket.gethostname()
        self.delivery_info = {"routing_key": run.queue} if run is not None else {}

    def __getattr__(self, name: str) -> Any:
        headers = vars(self).get("headers") or {}
        if name in headers:
            return headers[name]
        raise AttributeError(f"dormouse.celery has no self.request.{name}, and the call gave no header of that name; what the run knows is in self.request.run")

    def get(self, name: str, default: Any = None) -> Any:
        return getattr(self, name, default)

    @property
    def is_eager(self) -> bool:
        return self.run is None and not self.called_directly

    @property
    def is_last(self) -> bool:
        return self.retries + 1 >= self.attempts

    def stopped(self) -> str | None:
        """Why the worker has told the run to end: "timeout" and the like. Who has asked is not interrupted by it any more."""
        if self.run is None or not self.run.cancelled:
            return None
        self.run.is_to_be_told()
        return str(self.run.cancel_reason)


executed: contextvars.ContextVar[Request | None] = contextvars.ContextVar("dormouse_celery_request", default=None)


class RequestStack:
    """Task.request_stack, to be read."""

    def __init__(self, request: Request | None):
        self.stack = [] if request is None else [request]

    @property
    def top(self) -> Request | None:
        return self.stack[-1] if self.stack else None

    def __len__(self) -> int:
        return len(self.stack)
