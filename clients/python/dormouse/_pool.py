"""A worker as the child of a web application: for development, and for small deployments that have one process to start."""

from __future__ import annotations

import atexit
import os
import shutil
import signal
import subprocess
import threading
from typing import Any, Mapping


class Pool:
    """A worker started by start(). `pid`; `returncode`, None while it is running. As a context manager, it is shut down at the end."""

    def __init__(self, command: list[str]) -> None:
        self._command = command
        self._owner = os.getpid()
        self._ended = threading.Event()
        self._begun: threading.Event = threading.Event()
        self._failure: OSError | None = None
        self._process: subprocess.Popen[bytes] | None = None
        # The kernel tells a child when the thread that made it ends, so that thread lives as long as the child.
        threading.Thread(target=self._keep, name="dormouse worker", daemon=True).start()
        self._begun.wait()
        if self._failure is not None:
            raise self._failure
        atexit.register(self._at_exit)

    def _keep(self) -> None:
        try:
            # A process group of its own: Ctrl-C in a terminal is the application's, which shuts the worker down.
            self._process = subprocess.Popen(self._command, stdin=subprocess.DEVNULL, start_new_session=True)
        except OSError as failure:
            self._failure = failure
        self._begun.set()
        if self._process is not None:
            self._process.wait()
            self._ended.set()

    def _at_exit(self) -> None:
        if os.getpid() == self._owner:  # not a child that was forked
            self.shutdown()

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        return self._process.returncode if self._process is not None and self._ended.is_set() else None

    def shutdown(self, timeout: float = 30) -> int:
        """Lets the worker finish running handlers, hands back the rest, and returns its exit code. Runs that are still running after `timeout`
        seconds are stopped and requeued without using an attempt; the worker has ten more seconds for that, then it is killed, and its runs
        are taken back when their leases expire. If called twice, or after the worker has exited, it returns the exit code. RuntimeError in a
        child that was forked from the process that called start()."""
        if os.getpid() != self._owner:
            raise RuntimeError("shutdown(): this process was forked from the one that started the worker, which is its own to stop")
        assert self._process is not None
        # The first signal: claim no more, finish what runs. The second: hand back what still runs.
        for sign, patience in ((signal.SIGTERM, timeout), (signal.SIGTERM, 10), (signal.SIGKILL, None)):
            if self._ended.is_set():
                break
            try:
                self._process.send_signal(sign)
            except ProcessLookupError:
                pass
            if self._ended.wait(patience):
                break
        atexit.unregister(self._at_exit)
        return int(self._process.returncode)

    def __enter__(self) -> Pool:
        return self

    def __exit__(self, *_: Any) -> None:
        self.shutdown()


def start(pool: str = "default", *, config: str | os.PathLike[str] | None = None, database_url: str | None = None,
          settings: Mapping[str, object] | None = None, program: str | None = None) -> Pool:
    """Starts `dormouse worker POOL` as a child of this process and returns at once. The worker logs to this process's stderr, does not
    sleep (nothing would wake it), and exits when it is shut down, when this process exits, and when this process is killed. `settings`:
    options as in the file, {"worker.concurrency": 2}. FileNotFoundError if there is no program dormouse in PATH.

    Each process that calls it gets a worker: if a server has several processes, call it in one of them, or have as many workers."""
    program = program or os.environ.get("DORMOUSE") or shutil.which("dormouse")
    if program is None:
        raise FileNotFoundError("start(): there is no program dormouse in PATH; install the package, or name it by DORMOUSE=/path/of/dormouse")
    # The kernel tells it of our end from then on; who had ended before is not its parent any more.
    alone = 'test "$PPID" = "$1" || exit 0; shift; exec "$@"'
    command = ["setpriv", "--pdeathsig", "TERM", "--", "/bin/sh", "-c", alone, "sh", str(os.getpid()), program, "worker", pool]
    command += [] if config is None else [f"--config={os.fspath(config)}"]
    command += [] if database_url is None else [f"--database-url={database_url}"]
    command += [f"--set={name}={value}" for name, value in (settings or {}).items()]
    return Pool(command)
