"""What a function may ask and say of the run it is executed for."""

import contextvars
import math

from dormouse._errors import Cancelled, seconds
from dormouse._json import MOST_TEXT, encode, to_json

_LEVELS = ("debug", "info", "warning", "error")

current = contextvars.ContextVar("dormouse_run", default=None)


class Run:
    """The run a function is executed for."""

    __slots__ = ("_message", "_link", "_told", "cancel_reason", "children", "end", "enqueued", "id", "payload", "task")

    def __init__(self, message, link):
        self._message, self._link = message, link
        self.cancel_reason = None  # "canceled", "leaving", "lease_lost", "timeout"
        self.end = None  # async: what cancels it
        self.children = []  # what it has started by subprocess
        self.enqueued = None
        self._told = False
        self.id, self.task, self.payload = message["id"], message["task"], message.get("payload")

    queue = property(lambda self: self._message.get("queue", ""))
    attempt = property(lambda self: self._message.get("attempt", 1), doc="1 is the first")
    max_attempts = property(lambda self: self._message.get("max_attempts", 1))
    fence = property(lambda self: self._message.get("fence", ""), doc="N:UUID; show it with your own writes elsewhere")
    deadline = property(lambda self: self._message.get("deadline"), doc="seconds since 1970, as time.time(); None without a timeout")
    traceparent = property(lambda self: self._message.get("traceparent"), doc="W3C; None if the producer gave none")

    @property
    def cancelled(self):
        """Whether it is to end soon; run.cancel_reason says why."""
        if self.cancel_reason is None:
            self._link.look()
        return self.cancel_reason is not None

    def progress(self, fraction=None, text=None):
        """How far it is, 0 to 1, and a word about it. The latest counts."""
        message = {"type": "progress", "id": self.id}
        if fraction is not None:
            if math.isnan(fraction):
                raise ValueError("a progress of NaN")
            message["fraction"] = min(max(float(fraction), 0.0), 1.0)
        if text is not None:
            message["text"] = str(text)[:MOST_TEXT]
        self._say(message)
        self._checkpoint()

    def log(self, text, level="info"):
        """A line of the run's log; several, if the text has line breaks. level: debug, info, warning, error."""
        if level not in _LEVELS:
            raise ValueError(f"the level {level!r} of a log line; there are {', '.join(_LEVELS)}")
        lines = str(text).splitlines() or [""]
        self._say(*[{"type": "log", "id": self.id, "level": level, "text": line[:MOST_TEXT]} for line in lines])

    def heartbeat(self, within):
        """A shorter deadline: the run is timed out unless the next heartbeat comes within so many seconds. 0 ends that."""
        self._say({"type": "heartbeat", "id": self.id, "within": seconds("within", within)})
        self._checkpoint()

    def enqueue(self, task, payload=None, **members):
        """Another run, enqueued in the transaction that completes this one: not at all if this one does not complete. members
        are those of dormouse.enqueue(): queue, priority, key, run_at, max_attempts, …"""
        members = {name: value for name, value in members.items() if value is not None}
        text = to_json({"task": task, "payload": payload, **members}, f"what is enqueued for {task!r}")
        self.enqueued = [*(self.enqueued or ()), text]

    def _say(self, *messages):
        self._link.say(b"".join(encode(message) for message in messages))

    def _checkpoint(self):
        if self.end is None and self.cancelled and self.is_to_be_told():
            raise Cancelled(self.cancel_reason)

    def on_cancel(self, reason):
        self.cancel_reason = reason
        if self.end is not None:
            self.end()

    def is_to_be_told(self):
        """Once: whether it is cancelled, and its function has not heard of it."""
        told, self._told = self._told, self._told or self.cancel_reason is not None
        return self.cancel_reason is not None and not told
