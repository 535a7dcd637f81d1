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
    """Registers a function to call before the process takes its first run, for example to open a connection pool or load a model. Plain or async;
    several are called in the order of their definition, within the task's start_timeout. An exception ends the process: its runs wait
    without using an attempt, and the error is reported as that of a handler that cannot start. The return value is passed to every
    function that has a parameter with the hook's name: def db(), and def mail(payload, db)."""
    _start.append(function)
    return function


def on_stop(function: F) -> F:
    """Registers a function to call when the pool stops the process and its runs are finished; plain or async, the last one first. Five seconds
    after the pool's request the process is killed. Not called in a process that is killed or dies."""
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
