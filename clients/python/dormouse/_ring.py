"""Rings a pool's doorbell, after the COMMIT of a transaction that enqueued runs. A ring carries nothing: it makes the pool's
worker look at the database."""

from __future__ import annotations

import os
import socket
import threading
from typing import Any, Awaitable, Iterable, Union

Ring = Union[bool, str, Iterable[str]]  # what `ring=` takes
_PATIENCE = 3  # seconds that a cancellation waits for a commit that is under way


def ring(target: str = "default", timeout: float = 1.0) -> bool:
    """Rings a pool by name, a socket by path ("/run/dormouse/mail.sock") or a doorbell on another host ("host:7300",
    "[2001:db8::1]:7300"). Returns whether it rang. Never raises because of a doorbell, and returns after `timeout`
    seconds at the latest: the transaction is committed, and the next worker that looks finds the runs.
    """
    path = _path_of(target)
    if path is not None:
        return _ring_unix(path)
    rung: list[bool] = []
    # A thread, because nothing bounds the resolution of a name.
    thread = threading.Thread(target=lambda: rung.append(_ring_tcp(target, timeout)), daemon=True)
    thread.start()
    thread.join(timeout)
    return bool(rung and rung[0])


def doorbells(queue: str | None, asked: Ring = True) -> frozenset[str]:
    """Which to ring for a queue: those asked for; else those that DORMOUSE_RING names; else the pool of the queue's name, if there is
    one on this host, or "default"."""
    if asked is False or asked == "":
        return frozenset()
    if isinstance(asked, str):
        return frozenset([asked])
    if asked is not True:
        return frozenset(asked)
    named = os.environ.get("DORMOUSE_RING")
    if named is not None:
        return frozenset(named.replace(",", " ").split())
    pool = queue or "default"
    return frozenset([pool if "/" not in pool and ":" not in pool and os.path.exists(_path_of(pool) or "") else "default"])


def ring_all(targets: Iterable[str], wait: bool = True) -> None:
    """wait=False: in a program with a loop, which a slow name server must not hold up."""
    for target in targets:
        if wait or _path_of(target) is not None:
            ring(target)
        else:
            threading.Thread(target=ring, args=(target,), daemon=True).start()


def ring_now_and_later(targets: frozenset[str], wait: bool = True) -> None:
    """For a commit that was cut off, of which nobody hears when the server has come to its end."""
    if not targets:
        return
    ring_all(targets, wait)
    later = threading.Timer(1, ring_all, [targets])
    later.daemon = True
    later.start()


def may_be_committed(error: BaseException | None) -> bool:
    """Whether what was to commit may have done so, although it has raised `error`. It has not where the server has refused it, which an SQLSTATE
    says; those of a session that was ended (08, 57P) or is broken (XX) may follow the commit. A ring too many costs one look."""
    for one in (error, getattr(error, "orig", None), getattr(error, "__cause__", None)):  # as SQLAlchemy and Django wrap them
        state = getattr(one, "sqlstate", None) or getattr(one, "pgcode", None)
        if isinstance(state, str):
            return state.startswith(("08", "57P", "XX"))
    return True


async def to_the_end(commit: Awaitable[Any]) -> Any:
    """Awaits what commits. A cancellation waits for its end, as the server commits all the same, and a ring before the commit finds nothing."""
    import asyncio  # here, because it takes longer to import than all of this

    task = asyncio.ensure_future(commit)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        try:
            await asyncio.wait([task], timeout=_PATIENCE)
        finally:
            if task.done() and not task.cancelled():
                task.exception()  # is not told: the caller wants its cancellation
            task.cancel()
        raise


def _path_of(target: str) -> str | None:
    if "/" in target:
        return target
    if ":" in target:
        return None
    directory = os.environ.get("DORMOUSE_PATHS_RUNTIME_DIRECTORY") or "/run/dormouse"
    return f"{directory}/{target}.sock"


def _ring_unix(path: str) -> bool:
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as bell:
            bell.setblocking(False)
            bell.connect(path)
    except BlockingIOError:
        return True  # as many rings as fit wait there already
    except (OSError, ValueError):
        return False
    return True


def _ring_tcp(target: str, timeout: float) -> bool:
    host, _, port = target.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout).close()
    except (OSError, ValueError, OverflowError):
        return False
    return True
