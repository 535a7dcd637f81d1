"""For tests of programs that enqueue: what a transaction has enqueued, and executing it."""

from __future__ import annotations

import dataclasses
import datetime
import json
import os
import shutil
import subprocess
import uuid
from typing import Any, Awaitable, overload

from dormouse._connections import connection
from dormouse._enqueue import AsyncConnection, SyncConnection


@dataclasses.dataclass(frozen=True)
class Enqueued:
    id: uuid.UUID
    task: str
    payload: Any
    queue: str
    priority: int
    key: str | None
    run_at: datetime.datetime


_ENQUEUED = """SELECT CAST(coalesce(json_agg(json_build_array(r.id, r.task, r.payload, r.queue, r.priority, r.key,
                           CASE WHEN isfinite(r.run_at) THEN CAST(extract(epoch FROM r.run_at) * 1000000 AS bigint) END) ORDER BY r.id), '[]') AS text)
                 FROM dormouse.runs r
                WHERE r.created_at = now() AND (CAST($1 AS text) IS NULL OR r.task = CAST($1 AS text))"""
_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)


def _rows(text: str) -> list[Enqueued]:
    never = datetime.datetime.max.replace(tzinfo=datetime.timezone.utc)
    return [Enqueued(uuid.UUID(id), task, payload, queue, priority, key, never if at is None else _EPOCH + datetime.timedelta(microseconds=at))
            for id, task, payload, queue, priority, key, at in json.loads(text)]


@overload
def enqueued(conn: AsyncConnection, task: str | None = ...) -> Awaitable[list[Enqueued]]: ...
@overload
def enqueued(conn: SyncConnection, task: str | None = ...) -> list[Enqueued]: ...
def enqueued(conn: Any, task: str | None = None) -> Any:
    """The runs that the open transaction of `conn` has enqueued so far, in order, of one task or of all; for a test that rolls back at its end. The
    login must be allowed to read dormouse.runs: a test database's owner, or a member of dormouse_reader."""
    raw = connection(conn)
    if raw.in_transaction() is False:
        raise ValueError("enqueued() looks at the runs of an open transaction, and this connection is in none: begin one in the test, and call "
                         "it before the commit")
    return raw.run(_ENQUEUED, [task], _rows)


def drain(pool: str = "default", *, config: str | os.PathLike[str] | None = None, database_url: str | None = None, timeout: float = 60,
          program: str | None = None) -> str:
    """Executes all due, committed runs with `dormouse worker POOL --drain`, and returns its log when nothing is due. RuntimeError with the log if
    the worker fails, or has not finished in `timeout` seconds. A failed run is not a failure of the worker: check result()."""
    program = program or os.environ.get("DORMOUSE") or shutil.which("dormouse")
    if program is None:
        raise RuntimeError("drain(): there is no program dormouse in PATH; install the package, or name it by DORMOUSE=/path/of/dormouse")
    command = [program, "worker", pool, "--drain", f"--timeout={max(round(timeout * 1000), 1)}ms"]
    command += [] if config is None else [f"--config={os.fspath(config)}"]
    command += [] if database_url is None else [f"--database-url={database_url}"]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
    if done.returncode != 0:
        known = {5: f"not everything was done in {timeout} s", 9: "its configuration cannot be used"}
        why = known.get(done.returncode, f"it exited with {done.returncode}")
        raise RuntimeError(f"drain(): {' '.join(command)}: {why}\n{done.stdout}")
    return done.stdout
