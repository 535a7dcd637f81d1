"""Hooks of the process: what it does once before it takes runs, and once when it has none any more."""

from __future__ import annotations

import inspect
import sys
import traceback
import typing

F = typing.TypeVar("F", bound=typing.Callable[[], typing.Any])

_start: list[typing.Callable[[], typing.Any]] = []
_stop: list[typing.Callable[[], typing.Any]] = []
_loop = None
values: dict[str, typing.Any] = {}  # what the hooks have returned, by their names


def names():
    return [hook.__name__ for hook in _start if hasattr(hook, "__name__")]


def on_start(function: F) -> F:
    """Called before the process takes its first run: opens a pool of connections, loads a model. Plain or async; several are called in
    their order. What it raises ends the process: its runs wait, none has used up an attempt, and the error is told as that of a
    handler that cannot start. It has the task's start_timeout. What it returns is given to every function that has a parameter of the
    hook's name: def db(), and def mail(payload, db)."""
    _start.append(function)
    return function


def on_stop(function: F) -> F:
    """Called when the pool lets the process go and nothing runs any more; plain or async, the last one first. Five seconds after
    the pool's word the process is killed. Not called in one that is killed, or that dies."""
    _stop.append(function)
    return function


def start():
    for hook in _start:
        values[getattr(hook, "__name__", "")] = _finish(hook())


def stop():
    for hook in reversed(_stop):
        try:
            _finish(hook())
        except Exception:
            traceback.print_exc(file=sys.stderr)


async def start_here():
    """In the loop that executes the async functions."""
    for hook in _start:
        values[getattr(hook, "__name__", "")] = await _result(hook())


async def stop_here():
    for hook in reversed(_stop):
        try:
            await _result(hook())
        except Exception:
            traceback.print_exc(file=sys.stderr)


def _finish(result):
    """Of an async hook beside plain functions: all of them in one loop."""
    global _loop
    if not inspect.isawaitable(result):
        return result
    if _loop is None:
        import asyncio

        _loop = asyncio.new_event_loop()
    return _loop.run_until_complete(_result(result))


async def _result(result):
    return await result if inspect.isawaitable(result) else result
