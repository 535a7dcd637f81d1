"""What a function may ask and say of the run it is executed for."""

from __future__ import annotations

import contextvars
import datetime
import math
from typing import Any

from dormouse._errors import Cancelled, seconds
from dormouse._json import MOST_TEXT, encode, to_json

_NEXT = {"queue", "priority", "run_at", "delay", "key", "max_attempts", "timeout", "traceparent", "watched"}
_LEVELS = ("debug", "info", "warning", "error")

current: contextvars.ContextVar[Run | None] = contextvars.ContextVar("dormouse_run", default=None)


class Run:
    """The run a function is executed for."""

    __slots__ = ("_message", "_link", "_told", "below", "cancel_reason", "children", "end", "enqueued", "id", "payload", "pids", "task", "timed_out")

    id: str
    task: str
    payload: Any

    def __init__(self, message: dict[str, Any], link: Any):
        self._message, self._link = message, link
        self.cancel_reason: str | None = None  # "canceled", "leaving", "lease_lost", "timeout"
        self.timed_out: type[Cancelled] = Cancelled  # what is raised for a timeout
        self.end: Any = None  # async: what cancels it
        self.children: list[Any] = []  # what it has started by subprocess
        self.pids: set[int] = set()  # the same in other ways
        self.below: set[int] = set()  # below those when it was told to end
        self.enqueued: list[str] | None = None
        self._told = False
        self.id, self.task, self.payload = message["id"], message["task"], message.get("payload")

    @property
    def queue(self) -> str:
        return str(self._message.get("queue", ""))

    @property
    def attempt(self) -> int:
        """1 is the first."""
        return int(self._message.get("attempt", 1))

    @property
    def max_attempts(self) -> int:
        return int(self._message.get("max_attempts", 1))

    @property
    def fence(self) -> str:
        """N:UUID; pass it along with your own writes to other systems."""
        return str(self._message.get("fence", ""))

    @property
    def deadline(self) -> float | None:
        """Seconds since 1970, as time.time(); None without a timeout."""
        return self._message.get("deadline")

    @property
    def traceparent(self) -> str | None:
        """W3C; None if the producer gave none."""
        return self._message.get("traceparent")

    @property
    def cancelled(self) -> bool:
        """Whether the function should stop; run.cancel_reason says why."""
        if self.cancel_reason is None:
            self._link.look()
        return self.cancel_reason is not None

    def progress(self, fraction: float | None = None, text: object = None) -> None:
        """Reports progress, from 0 to 1, with a text or an object that is shown as JSON. The latest counts."""
        message: dict[str, Any] = {"type": "progress", "id": self.id}
        if fraction is not None:
            if math.isnan(fraction):
                raise ValueError("a progress of NaN")
            message["fraction"] = min(max(float(fraction), 0.0), 1.0)
        if text is not None:
            message["text"] = (text if isinstance(text, str) else to_json(text, "the text of a progress"))[:MOST_TEXT]
        self._say(message)
        self._checkpoint()

    def log(self, text: object, level: str = "info") -> None:
        """Adds a line to the run's log, or several if the text has line breaks. level: debug, info, warning, error."""
        if level not in _LEVELS:
            raise ValueError(f"the level {level!r} of a log line; there are {', '.join(_LEVELS)}")
        lines = str(text).splitlines() or [""]
        self._say(*[{"type": "log", "id": self.id, "level": level, "text": line[:MOST_TEXT]} for line in lines])

    def heartbeat(self, within: float | datetime.timedelta) -> None:
        """Sets a shorter deadline: the run times out unless the next heartbeat comes within this many seconds. 0 removes it."""
        self._say({"type": "heartbeat", "id": self.id, "within": seconds("within", within)})
        self._checkpoint()

    def enqueue(self, task: str, payload: Any = None, **members: Any) -> None:
        """Enqueues another run in the transaction that completes this one; if this one does not complete, nothing is enqueued,
        and its log says so. members are those of dormouse.enqueue(): queue, priority, key, run_at, max_attempts, …"""
        members = {name: value for name, value in members.items() if value is not None}
        wrong = sorted(set(members) - _NEXT)  # told where it is written, and not when the work is done
        if wrong:
            raise TypeError(f"run.enqueue({task!r}): there is no {', '.join(wrong)}; there are {', '.join(sorted(_NEXT))}")
        text = to_json({"task": task, "payload": payload, **members}, f"what is enqueued for {task!r}")
        self.enqueued = [*(self.enqueued or ()), text]

    def _say(self, *messages: dict[str, Any]) -> None:
        self._link.say(b"".join(encode(message) for message in messages))

    def _checkpoint(self) -> None:
        if self.end is None and self.cancelled and self.is_to_be_told():
            raise self.cancelled_as()

    def cancelled_as(self) -> Cancelled:
        return (self.timed_out if self.cancel_reason == "timeout" else Cancelled)(self.cancel_reason)

    def on_cancel(self, reason: str) -> None:
        self.cancel_reason = reason
        if self.end is not None:
            self.end()

    def is_to_be_told(self) -> bool:
        """Once: whether it is cancelled, and its function has not heard of it."""
        told, self._told = self._told, self._told or self.cancel_reason is not None
        return self.cancel_reason is not None and not told
