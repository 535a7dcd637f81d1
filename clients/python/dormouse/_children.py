"""The processes that a run has started: they end with a run that is stopped. What a run leaves behind that was not stopped lives on,
as long as this process does. The worker looks after the answer of a stopped run as well, for those that have lost their parents."""

import functools
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
    """From now on each run knows what is started in its context: by subprocess, also by way of asyncio, by os and by multiprocessing."""
    start = subprocess.Popen.__init__

    @functools.wraps(start)
    def noted(self, *arguments, **named):
        note()
        start(self, *arguments, **named)
        run = current.get()
        if run is not None:
            run.children.append(self)

    subprocess.Popen.__init__ = noted
    for name in ("fork", "forkpty", "posix_spawn", "posix_spawnp"):
        _watch_call(os, name)
    try:
        import _posixsubprocess  # multiprocessing, where it does not fork

        _watch_call(_posixsubprocess, "fork_exec")
    except ImportError:
        pass
    os.register_at_fork(before=note)


def _watch_call(module, name):
    call = getattr(module, name, None)
    if call is None:
        return

    @functools.wraps(call)
    def noted(*arguments, **named):
        note()
        made = call(*arguments, **named)
        pid = made[0] if isinstance(made, tuple) else made
        run = current.get()
        if pid and run is not None:
            run.pids.add(pid)
        return made

    setattr(module, name, noted)


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
    return {getattr(owner, name, None) for owner, name in (trackers, servers)} - {None}


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


def look(run):
    """Before `run` hears that it is to end: whoever ends a child then, as subprocess.run() does, leaves that one's children behind."""
    if run.children or run.pids:
        run.below |= _with_descendants(_own(run))


def _own(run):
    started = {child.pid for child in run.children if child.returncode is None}
    return {pid for pid in started | (run.pids & of() if run.pids else set()) if _lives(pid)}


def end(run, since=None):
    """Ends what `run` has started and what those have; with `since`, a time of now(), whatever this process has started from then
    on. Returns when they are gone: whom the worker is not to end after that."""
    every = _own(run) | run.below
    if since is not None:
        every |= {pid for pid in of() - _known if _lives(pid) and _began(pid) >= since}
    asked = set()
    began = time.monotonic()
    while every:
        for child in run.children:
            child.poll()  # so that it is no zombie
        # Again and again: who is asked to end may start another one.
        every = _with_descendants(pid for pid in every if _lives(pid)) - _servants()
        every = {pid for pid in every if _lives(pid)}
        waited = time.monotonic() - began
        if waited > 2 * _PATIENCE_S:
            break
        _signal(every - asked, signal.SIGTERM)
        asked |= every
        if waited > _PATIENCE_S:
            _signal(every, signal.SIGKILL)
        if every:
            time.sleep(0.01)
    return _servants() | (_known if since is not None else set())


def of_others(run, runs):
    """What other runs in flight have started: the worker is not to wonder whose that is."""
    return set().union(*(_own(other) for other in list(runs.values()) if other is not run))


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
