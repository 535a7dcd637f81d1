"""The processes that a run has started: they end with a run that is stopped. What a run leaves behind that was not stopped lives on,
as long as this process does."""

import os
import signal
import subprocess
import sys
import time

from dormouse._run import current

_PATIENCE_S = 2.0  # between asking and killing
_TICKS = os.sysconf("SC_CLK_TCK")


_known = set()  # left by runs that were not stopped
_something = False  # has been started since those were looked at


def watch():
    """From now on each run knows what is started by subprocess, also by way of asyncio."""
    start = subprocess.Popen.__init__

    def noted(self, *arguments, **named):
        note()
        start(self, *arguments, **named)
        run = current.get()
        if run is not None:
            run.children.append(self)

    subprocess.Popen.__init__ = noted
    os.register_at_fork(before=note)


def note():
    global _something
    _something = True


def keep():
    """A run that was executed alone has ended by itself: what it has left is no later one's."""
    global _something, _known
    if _something:
        _something, _known = False, of()


def of(pid="self"):
    """The children of a process, by number. None are seen where the kernel has no CONFIG_PROC_CHILDREN."""
    found = set()
    try:
        for thread in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{thread}/children", encoding="ascii") as file:
                found.update(int(number) for number in file.read().split())
    except OSError:
        pass
    return found - _servants()


def _servants():
    """Those of multiprocessing that serve all runs."""
    trackers = (getattr(sys.modules.get("multiprocessing.resource_tracker"), "_resource_tracker", None), "_pid")
    servers = (getattr(sys.modules.get("multiprocessing.forkserver"), "_forkserver", None), "_forkserver_pid")
    return {getattr(owner, name, None) for owner, name in (trackers, servers)}


def _with_descendants(pids):
    every, new = set(), set(pids)
    while new:
        every |= new
        new = set().union(*(of(pid) for pid in new)) - every
    return every


def _signal(pids, number):
    for pid in pids:
        try:
            os.kill(pid, number)
        except OSError:
            pass


def now():
    """In the ticks in which the kernel says when a process began."""
    return int(time.clock_gettime(time.CLOCK_BOOTTIME) * _TICKS)


def end(run, since=None):
    """Ends what `run` has started and what those have; with `since`, a time of now(), whatever this process has started from then
    on. Returns when they are gone."""
    own = {child.pid for child in run.children if child.poll() is None}
    if since is not None:
        own |= {pid for pid in of() - _known if _lives(pid) and _began(pid) >= since}
    every = _with_descendants(own)
    _signal(every, signal.SIGTERM)
    began = time.monotonic()
    while every:
        for child in run.children:
            child.poll()  # so that it is no zombie
        every = {pid for pid in every if _lives(pid)}
        waited = time.monotonic() - began
        if waited > 2 * _PATIENCE_S:
            return
        if waited > _PATIENCE_S:
            _signal(every, signal.SIGKILL)
        if every:
            time.sleep(0.01)


def _stat(pid):
    """Its fields from the third one on (proc_pid_stat(5)); empty: it is gone."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            return file.read().rpartition(") ")[2].split()
    except OSError:
        return []


def _lives(pid):
    return _stat(pid)[:1] not in ([], ["Z"])


def _began(pid):
    stat = _stat(pid)
    return int(stat[19]) if stat else 0
