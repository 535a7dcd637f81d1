"""serve(): says hello, then executes runs until the worker closes the socket.

Plain functions one at a time: in the main thread, without a thread or a loop between socket and function. Several at a time: in
threads. As soon as one function is async: asyncio in the main thread, plain functions in threads."""

from __future__ import annotations

import functools
import os
import socket
import sys
import threading
import traceback

from dormouse import _children, _hooks, _tasks
from dormouse._answers import completed, failed, sparing
from dormouse._errors import Cancelled, Fail
from dormouse._json import encode
from dormouse._link import AlreadyServed, Link, ProtocolError
from dormouse._logging import capture
from dormouse._run import current
from dormouse._version import __version__

_AT_ONCE = 10  # async functions in one process, unless told otherwise


def serve(concurrency: int | None = None, capture_logging: bool = True) -> None:
    """Executes runs of the registered tasks until the worker closes the socket; then finishes runs in progress and returns.

    concurrency: how many runs at once in this process; by default 10 if one of the functions is async, otherwise 1. Plain functions
    are executed in this many threads only if it is given.
    capture_logging: records of `logging` become log lines of the run they come from."""
    sys.stdout.reconfigure(line_buffering=True)  # a print() is a line of the log, now and not at the end
    try:
        if not _tasks.known:
            raise TypeError("no task is registered: put @dormouse.task above a function")
        for task in _tasks.known.values():
            task.resolve()
        if concurrency is not None and not 1 <= concurrency <= 10_000:
            raise ValueError(f"concurrency={concurrency}; it is a number from 1 to 10,000")
    except (TypeError, ValueError) as error:
        sys.exit(_said(error))
    descriptor = os.environ.pop("DORMOUSE_CONTROL_FD", None)  # what is started from here is not spoken to
    server = os.environ.get("DORMOUSE_SERVED_BY")
    if descriptor is None and server and sys.argv[1:2] != ["--run"]:
        sys.exit(_said(AlreadyServed(server)))
    if descriptor is None or sys.argv[1:2] == ["--run"]:
        from dormouse._by_hand import by_hand

        sys.exit(by_hand(sys.argv))
    os.environ["DORMOUSE_SERVED_BY"] = str(os.getpid())
    try:
        link = Link(int(descriptor))
    except AlreadyServed as error:
        sys.exit(_said(error))
    except (OSError, ValueError) as error:
        sys.exit(_said(f"DORMOUSE_CONTROL_FD={descriptor} is not a socket: {error}"))
    if capture_logging:
        capture()
    _children.watch()
    any_async = any(task.is_async for task in _tasks.known.values())
    at_once = concurrency or (_AT_ONCE if any_async else 1)
    hello = {"type": "hello", "protocol": 1, "tasks": sorted(_tasks.known), "concurrency": at_once, "client": f"python {__version__}"}
    try:
        if any_async:
            return _serve_async(link, concurrency or 1, hello)
        _hooks.start()
        link.answer(encode(hello))
        if at_once > 1:
            _serve_threads(link, at_once)
        else:
            _serve_serial(link)
        _hooks.stop()
    except ProtocolError as error:
        sys.exit(_said(error))


def _said(error):
    return f"{os.path.basename(sys.argv[0] or 'dormouse')}: {error}"


def _leave(error=None):
    """The end of a forked child whose function has returned or raised: the answer is its parent's to give."""
    code = 0
    if isinstance(error, SystemExit):
        code = error.code if isinstance(error.code, int) else int(error.code is not None)
    elif error is not None:
        traceback.print_exception(type(error), error, error.__traceback__)
        code = 1
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code & 255)


def execute(link, run, alone=False):
    """Calls a plain function and gives the answer. alone: nothing else is executed in this process meanwhile."""
    began = _children.now() if alone else None
    try:
        try:
            if run.cancel_reason:
                raise Cancelled(run.cancel_reason)
            task = _tasks.known.get(run.task)
            if task is None:
                raise Fail(f"this process has no task {run.task!r}; it has {', '.join(sorted(_tasks.known))}", permanent=False)
            current.set(run)
            link.begin(run)
            result = task.call(run)
            if link.forked:
                _leave()
            answer = completed(run, result)
            link.run = None
        except BaseException as error:  # SystemExit, too: it is the function that ends, not the process
            if link.forked:
                _leave(error)
            link.run = None
            answer = failed(run, error)
    except Cancelled as error:  # it came while something else was being caught
        link.run = None
        answer = failed(run, error)
    if run.cancel_reason:
        answer = sparing(answer, _children.end(run, began) | _children.of_others(run, link.runs))
    elif alone:
        _children.keep()
    current.set(None)
    link.runs.pop(run.id, None)  # before the answer: the next attempt may come right behind it
    return answer


def _serve_serial(link):
    link.interrupt_by_signal()
    waiting = link.waiting
    while True:
        while waiting:
            link.answer(execute(link, waiting.popleft(), alone=True))
        if link.ended:
            return
        link.missed = False
        link.read()


class _Crew:
    """Threads for plain functions, as many as are needed, at most `most`."""

    def __init__(self, link, most):
        from queue import SimpleQueue

        self._link, self._most, self._threads, self._queue = link, most, [], SimpleQueue()

    def give(self, run):
        if len(self._threads) < self._most:
            self._threads.append(threading.Thread(target=self._work, name=f"dormouse-{len(self._threads)}"))
            self._threads[-1].start()
        self._queue.put(run)

    def _work(self):
        for run in iter(self._queue.get, None):
            self._link.answer(execute(self._link, run))

    def finish(self):
        threads, self._threads = self._threads, []
        for _ in threads:
            self._queue.put(None)
        for thread in threads:
            thread.join()


def _serve_threads(link, most):
    crew = _Crew(link, most)
    try:
        while link.read():
            while link.waiting:
                crew.give(link.waiting.popleft())
    finally:
        crew.finish()


def _serve_async(link, threads, hello):
    import asyncio  # here, because it takes longer to import than all of this

    crew = _Crew(link, threads)

    async def main():
        loop = asyncio.get_running_loop()
        ended = asyncio.Event()
        at_work, answers = set(), []

        def flush():
            data = b"".join(answers)
            answers.clear()
            link.answer(data)

        async def one(run, task):
            current.set(run)
            try:
                result = await task.call(run)
                if link.forked:
                    _leave()
                answer = completed(run, result)
            except BaseException as error:
                if link.forked:
                    _leave(error)
                answer = failed(run, error)
            if run.cancel_reason:
                answer = sparing(answer, await loop.run_in_executor(None, _children.end, run) | _children.of_others(run, link.runs))
            link.runs.pop(run.id, None)
            if not answers:
                loop.call_soon(flush)
            answers.append(answer)

        def begin(run):
            task = _tasks.known.get(run.task)
            if task is None or not task.is_async:
                return crew.give(run)
            work = loop.create_task(one(run, task))
            at_work.add(work)
            work.add_done_callback(at_work.discard)
            # not at once: a task that is cancelled before its first step never answers
            run.end = functools.partial(loop.call_soon, work.cancel)
            if run.cancel_reason:
                run.end()

        def on_readable():
            if link.forked:
                _leave(RuntimeError("a forked child cannot await: its loop is its parent's"))
            try:
                link.read(socket.MSG_DONTWAIT)
            except BlockingIOError:
                return
            except ProtocolError as error:
                broken.append(error)
                link.ended = True
            while link.waiting:
                begin(link.waiting.popleft())
            if link.ended:
                loop.remove_reader(link.socket)
                ended.set()

        broken = []
        await _hooks.start_here()
        link.answer(encode(hello))
        loop.add_reader(link.socket, on_readable)
        await ended.wait()
        if at_work:
            await asyncio.wait(at_work)
        if answers:
            flush()
        if broken:
            raise broken[0]
        await loop.run_in_executor(None, crew.finish)
        await _hooks.stop_here()

    try:
        asyncio.run(main())
    finally:
        crew.finish()
