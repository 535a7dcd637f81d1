"""What producers call, on a connection of theirs and in its transaction: enqueue, enqueue_many, result, cancel, retry, wait.

Each is written once: where the connection is an async one, what it returns is awaited."""

from __future__ import annotations

import dataclasses
import datetime
import json
import time
import uuid
from typing import Any, Awaitable, Callable, Iterable, Protocol, Union, overload

from dormouse import _elsewhere, _members
from dormouse._connections import Async, connection
from dormouse._members import Seconds
from dormouse._ring import Ring, doorbells

RunId = Union[uuid.UUID, str]
GIVEN_NOTHING: Any = object()
_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
_FINISHED = ("completed", "failed", "canceled")


class AsyncConnection(Protocol):
    """psycopg.AsyncConnection, asyncpg's, SQLAlchemy's AsyncSession and AsyncConnection."""

    @property
    def execute(self) -> Callable[..., Awaitable[Any]]: ...


class SyncConnection(Protocol):
    """psycopg's Connection, psycopg2's, SQLAlchemy's Session and Connection, Django's."""

    def commit(self) -> None: ...


@dataclasses.dataclass(frozen=True)
class Result:
    """The status and outcome of a run."""

    id: uuid.UUID
    status: str  # queued, running, retry, blocked, completed, failed, canceled
    result: Any  # what its handler returned
    error: dict[str, Any] | None  # of the last attempt, or why it was canceled
    attempts: int
    finished_at: datetime.datetime | None

    @property
    def finished(self) -> bool:
        return self.status in _FINISHED

    @property
    def completed(self) -> bool:
        return self.status == "completed"


@dataclasses.dataclass(frozen=True)
class Answer:
    """The answer of cancel and retry: true if the run was changed. `str()` says what was done, or why not."""

    done: bool
    text: str

    def __bool__(self) -> bool:
        return self.done

    def __str__(self) -> str:
        return self.text


def _id(given: Any) -> uuid.UUID:
    try:
        return given if isinstance(given, uuid.UUID) else uuid.UUID(given)
    except (ValueError, AttributeError, TypeError):
        raise ValueError(f"{given!r} is not the id of a run; give what enqueue() returned") from None


@overload
def enqueue(conn: AsyncConnection, task: str, payload: Any = ..., *, key: str | None = ..., run_at: datetime.datetime | None = ...,
            delay: Seconds | None = ..., queue: str | None = ..., priority: int | None = ..., timeout: Seconds | None = ...,
            max_attempts: int | None = ..., traceparent: str | None = ..., ring: Ring = ...) -> Awaitable[uuid.UUID]: ...
@overload
def enqueue(conn: SyncConnection, task: str, payload: Any = ..., *, key: str | None = ..., run_at: datetime.datetime | None = ...,
            delay: Seconds | None = ..., queue: str | None = ..., priority: int | None = ..., timeout: Seconds | None = ...,
            max_attempts: int | None = ..., traceparent: str | None = ..., ring: Ring = ...) -> uuid.UUID: ...
def enqueue(conn: Any, task: str, payload: Any = GIVEN_NOTHING, *, key: str | None = None, run_at: datetime.datetime | None = None,
            delay: Seconds | None = None, queue: str | None = None, priority: int | None = None, timeout: Seconds | None = None,
            max_attempts: int | None = None, traceparent: str | None = None, ring: Ring = True, **others: Any) -> Any:
    """Enqueues one run in the transaction of `conn` and returns its id: nothing happens before the commit, and nothing after a rollback.

    payload: any JSON value (default {}); also dataclasses, pydantic, dates, UUIDs.
    key: if the task already has a run with this key, finished or not, its id is returned and no second run is enqueued.
    run_at: not before; a datetime with a time zone. delay: not before that from now. timeout: of each attempt. Seconds, or a timedelta.
    priority: -100 to 100, smaller is sooner. max_attempts, timeout: instead of the task's own.
    ring: the doorbell of the pool, rung after the commit: a name, a path, HOST:PORT or several; False: none.
    """
    _elsewhere.refuse("enqueue", others, "key, run_at, delay, queue, priority, timeout, max_attempts, traceparent, ring")
    members = _members.members({"task": task, "queue": queue, "priority": priority, "run_at": run_at, "delay": delay, "key": key,
                                "max_attempts": max_attempts, "timeout": timeout, "traceparent": traceparent})
    if payload is not GIVEN_NOTHING:
        members["payload"] = _members.payload(payload, f"the payload of {task!r}")
    statement = f"SELECT CAST(dormouse.enqueue({_members.call(members)}) AS text)"
    return connection(conn).run(statement, list(members.values()), uuid.UUID, doorbells(queue, ring))


@overload
def enqueue_many(conn: AsyncConnection, task: str, payloads: Iterable[Any], *, keys: Iterable[str | None] | None = ...,
                 run_at: datetime.datetime | None = ..., delay: Seconds | None = ..., queue: str | None = ..., priority: int | None = ...,
                 timeout: Seconds | None = ..., max_attempts: int | None = ..., ring: Ring = ...) -> Awaitable[list[uuid.UUID]]: ...
@overload
def enqueue_many(conn: SyncConnection, task: str, payloads: Iterable[Any], *, keys: Iterable[str | None] | None = ...,
                 run_at: datetime.datetime | None = ..., delay: Seconds | None = ..., queue: str | None = ..., priority: int | None = ...,
                 timeout: Seconds | None = ..., max_attempts: int | None = ..., ring: Ring = ...) -> list[uuid.UUID]: ...
def enqueue_many(conn: Any, task: str, payloads: Iterable[Any], *, keys: Iterable[str | None] | None = None,
                 run_at: datetime.datetime | None = None, delay: Seconds | None = None, queue: str | None = None,
                 priority: int | None = None, timeout: Seconds | None = None, max_attempts: int | None = None, ring: Ring = True, **others: Any) -> Any:
    """Enqueues one run for each payload, in one statement, and returns their ids in that order. keys: one (or None) for each payload; the
    rest is enqueue()'s."""
    _elsewhere.refuse("enqueue_many", others, "keys, run_at, delay, queue, priority, timeout, max_attempts, ring")
    if isinstance(payloads, (str, bytes, dict)):
        raise TypeError(f"payloads is one {type(payloads).__name__}; give a list of payloads, or call enqueue()")
    members = _members.members({"task": task, "queue": queue, "priority": priority, "run_at": run_at, "delay": delay,
                                "max_attempts": max_attempts, "timeout": timeout})
    encoded = [_members.payload(one, f"payload {number} of {task!r}") for number, one in enumerate(payloads)]
    size = sum(map(len, encoded))
    if size > 8 * _members.MOST_BYTES:
        raise ValueError(f"{len(encoded)} payloads of {size} characters in one statement, expected at most {8 * _members.MOST_BYTES}; call "
                         "enqueue_many() several times")
    parameters = [f"[{','.join(encoded)}]"]
    arrays = "payloads => ARRAY(SELECT e.v FROM jsonb_array_elements(CAST(CAST($1 AS text) AS jsonb)) WITH ORDINALITY e (v, n) ORDER BY e.n)"
    if keys is not None:
        if isinstance(keys, str):
            raise TypeError("keys is one str; give a list with one key, or None, for each payload")
        checked = [key if key is None else _members.text("key", key, 500, False) for key in keys]
        if len(checked) != len(encoded):
            raise ValueError(f"{len(encoded)} payloads and {len(checked)} keys; give one key, or None, for each payload")
        parameters.append(json.dumps(checked))
        arrays += (", keys => ARRAY(SELECT e.v FROM jsonb_array_elements_text(CAST(CAST($2 AS text) AS jsonb)) WITH ORDINALITY e (v, n) "
                   "ORDER BY e.n)")
    statement = ("SELECT CAST(coalesce(json_agg(e.id ORDER BY e.n), '[]') AS text) FROM dormouse.enqueue_many("
                 f"{_members.call(members, len(parameters) + 1)}, {arrays}) WITH ORDINALITY e (id, n)")
    targets = doorbells(queue, ring) if encoded else frozenset()
    return connection(conn).run(statement, [*parameters, *members.values()], lambda ids: [uuid.UUID(one) for one in json.loads(ids)], targets)


_RESULT = ("SELECT CAST((SELECT json_build_array(r.status, r.result, r.error, r.attempts, "
           "CAST(extract(epoch FROM r.finished_at) * 1000000 AS bigint)) "
           "FROM dormouse.result(CAST(CAST($1 AS text) AS uuid)) r) AS text)")


def _result(run: uuid.UUID, text: str | None) -> Result | None:
    if text is None:
        return None
    status, result, error, attempts, finished = json.loads(text)
    at = None if finished is None else _EPOCH + datetime.timedelta(microseconds=finished)
    return Result(run, status, result, error, attempts, at)


@overload
def result(conn: AsyncConnection, id: RunId) -> Awaitable[Result | None]: ...
@overload
def result(conn: SyncConnection, id: RunId) -> Result | None: ...
def result(conn: Any, id: RunId) -> Any:
    """The run's status and outcome; None: there is no such run (any more), or its transaction is not committed."""
    run = _id(id)
    return connection(conn).run(_RESULT, [str(run)], lambda text: _result(run, text))


def _answer(*done: str) -> Callable[[str], Answer]:
    return lambda text: Answer(text.partition(":")[0] in done, text)


@overload
def cancel(conn: AsyncConnection, id: RunId, reason: str | None = ...) -> Awaitable[Answer]: ...
@overload
def cancel(conn: SyncConnection, id: RunId, reason: str | None = ...) -> Answer: ...
def cancel(conn: Any, id: RunId, reason: str | None = None) -> Any:
    """Cancels the run when the transaction commits; the handler of a running one is stopped."""
    parameters = [str(_id(id)), reason if reason is None else _members.text("reason", reason, 8192, False)]
    statement = "SELECT dormouse.cancel(CAST(CAST($1 AS text) AS uuid), CAST($2 AS text))"
    return connection(conn).run(statement, parameters, _answer("canceled"))


@overload
def retry(conn: AsyncConnection, id: RunId, *, ring: Ring = ...) -> Awaitable[Answer]: ...
@overload
def retry(conn: SyncConnection, id: RunId, *, ring: Ring = ...) -> Answer: ...
def retry(conn: Any, id: RunId, *, ring: Ring = True) -> Any:
    """Starts a finished run again; a run that waits for its next attempt becomes due at once."""
    statement = "SELECT dormouse.retry(CAST(CAST($1 AS text) AS uuid))"
    return connection(conn).run(statement, [str(_id(id))], _answer("queued", "due"), doorbells(None, ring))


@overload
def wait(conn: AsyncConnection, id: RunId, timeout: float | None = ...) -> Awaitable[Result]: ...
@overload
def wait(conn: SyncConnection, id: RunId, timeout: float | None = ...) -> Result: ...
def wait(conn: Any, id: RunId, timeout: float | None = None) -> Any:
    """Waits until the run has finished, with whatever status, and returns its result(); TimeoutError after `timeout` seconds. It polls at intervals
    that grow from 20 ms to 1 s. Commit the transaction that enqueued the run first."""
    run, raw = _id(id), connection(conn)
    if raw.in_transaction():
        raise ValueError("wait(): the connection is in a transaction, in which the run may have been enqueued: it is not executed before "
                         "the commit. Commit first, or wait on another connection")
    deadline = None if timeout is None else time.monotonic() + timeout
    return _wait_async(raw, run, deadline) if isinstance(raw, Async) else _wait(raw, run, deadline)


def _look(run: uuid.UUID, found: Result | None, pause: float, deadline: float | None) -> float:
    """How long to wait before the next question; 0: it has finished."""
    if found is None:
        raise LookupError(f"wait(): there is no run {run}; either it was never committed, or it has been removed since")
    if found.finished:
        return 0
    left = pause if deadline is None else min(pause, deadline - time.monotonic())
    if left <= 0:
        raise TimeoutError(f"wait(): run {run} is {found.status} still; does a pool serve its queue and its task (dormouse status)?")
    return left


def _wait(raw: Any, run: uuid.UUID, deadline: float | None) -> Result:
    pause = 0.02
    while True:
        found: Result | None = raw.run(_RESULT, [str(run)], lambda text: _result(run, text))
        raw.leave()
        left = _look(run, found, pause, deadline)
        if found is not None and not left:
            return found
        time.sleep(left)
        pause = min(pause * 1.5, 1)


async def _wait_async(raw: Any, run: uuid.UUID, deadline: float | None) -> Result:
    import asyncio  # here, because it takes longer to import than all of this

    pause = 0.02
    while True:
        found: Result | None = await raw.run(_RESULT, [str(run)], lambda text: _result(run, text))
        await raw.leave()
        left = _look(run, found, pause, deadline)
        if found is not None and not left:
            return found
        await asyncio.sleep(left)
        pause = min(pause * 1.5, 1)
