"""AsyncResult: how a run stands, as Celery says it."""

from __future__ import annotations

import builtins
import uuid
from typing import Any

import dormouse
from dormouse._run import current

STATES = {"queued": "PENDING", "blocked": "PENDING", "running": "STARTED", "retry": "RETRY", "completed": "SUCCESS", "failed": "FAILURE",
          "canceled": "REVOKED"}
READY = ("SUCCESS", "FAILURE", "REVOKED")


class TaskFailed(Exception):
    """The task has failed with an exception that is none of Python's own. `kind` is its class's name."""

    def __init__(self, kind: str, message: str):
        super().__init__(f"{kind}: {message}" if message else kind)
        self.kind = kind


class TaskRevokedError(Exception):
    """The run was canceled."""


def _exception(error: dict[str, Any] | None) -> Exception:
    """What the task raised, if it is one of Python's own that is made from a text; the traceback is in .traceback."""
    kind, message = str((error or {}).get("class", "")), str((error or {}).get("message", "")).partition("\nTraceback (most recent")[0]
    known = getattr(builtins, kind, None)
    if isinstance(known, type) and issubclass(known, Exception) and not issubclass(known, UnicodeError):
        return known(message)
    return TaskFailed(kind, message)


class AsyncResult:
    def __init__(self, id: Any, app: Any = None, **_: Any):
        from dormouse.celery._app import current_app

        try:
            self.id = str(uuid.UUID(str(id)))
        except ValueError:
            raise ValueError(f"AsyncResult({id!r}): this is not the id of a run; keep the .id of what .delay() returned") from None
        self._app = app or current_app()

    task_id = property(lambda self: self.id)

    def _ask(self) -> Any:
        return dormouse.result(self._app.connection_for(), self.id)

    @property
    def state(self) -> str:
        """PENDING also where nothing is known of the id: it was never committed, or is removed since."""
        found = self._ask()
        return "PENDING" if found is None else STATES[found.status]

    status = state

    def ready(self) -> bool:
        return self.state in READY

    def successful(self) -> bool:
        return self.state == "SUCCESS"

    def failed(self) -> bool:
        return self.state == "FAILURE"

    @property
    def result(self) -> Any:
        """What the task returned, or an exception if it has failed; None before."""
        found = self._ask()
        if found is None or found.status not in ("failed", "canceled"):
            return None if found is None else found.result
        return self._failure(found)

    info = result

    def _failure(self, found: Any) -> Exception:
        if found.status == "canceled":
            return TaskRevokedError((found.error or {}).get("message") or "revoked")
        return _exception(found.error)

    @property
    def date_done(self) -> Any:
        found = self._ask()
        return None if found is None else found.finished_at

    @property
    def traceback(self) -> str | None:
        found = self._ask()
        return None if found is None or found.error is None else found.error.get("message")

    def get(self, timeout: float | None = None, propagate: bool = True, disable_sync_subtasks: bool = True, **_: Any) -> Any:
        """Waits until the run has finished. The transaction that enqueued it has to be committed before."""
        if disable_sync_subtasks and current.get() is not None:
            raise RuntimeError("AsyncResult.get() within a task: it would hold a slot that the other run may need; enqueue what follows instead")
        found = dormouse.wait(self._app.connection_for(), self.id, timeout)
        if found.completed:
            return found.result
        failure = self._failure(found)
        if propagate:
            raise failure
        return failure

    wait = get

    def revoke(self, *_: Any, **__: Any) -> None:
        """Cancels it; its handler is ended if it runs: what terminate=True says in Celery."""
        dormouse.cancel(self._app.connection_for(), self.id)

    def forget(self) -> None:
        """Nothing: runs that have finished are removed after retention.finished."""

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"dormouse.celery has no AsyncResult.{name}; docs/moving/from-celery.md says what a result has")

    def __eq__(self, other: Any) -> bool:
        return self.id == getattr(other, "id", other)

    def __hash__(self) -> int:
        return hash(self.id)

    def __str__(self) -> str:
        return self.id

    def __repr__(self) -> str:
        return f"<AsyncResult: {self.id}>"


class EagerResult(AsyncResult):
    """Of .apply(), and of .delay() where task_always_eager is set: it has been executed already, here."""

    def __init__(self, value: Any, error: Exception | None, text: str | None):
        super().__init__(uuid.uuid4())
        self._value, self._error, self._text = value, error, text

    @property
    def state(self) -> str:
        return "FAILURE" if self._error else "SUCCESS"

    @property
    def result(self) -> Any:
        return self._error or self._value

    @property
    def traceback(self) -> str | None:
        return self._text

    status, info = state, result

    def get(self, timeout: float | None = None, propagate: bool = True, disable_sync_subtasks: bool = True, **_: Any) -> Any:
        if self._error and propagate:
            raise self._error
        return self.result

    wait = get

    def revoke(self, *_: Any, **__: Any) -> None:
        pass
