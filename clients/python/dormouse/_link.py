"""The socket to the worker: runs and cancellations come in, answers go out. Read by the main thread alone, written by any."""

import collections
import fcntl
import os
import re
import signal
import socket
import struct
import threading

from dormouse import _children
from dormouse._answers import failed
from dormouse._errors import BadPayload
from dormouse._json import decode
from dormouse._run import Run

_PIECE = 65536
_F_SETOWN_EX, _F_OWNER_TID = 15, 0  # linux/fcntl.h; Python does not name them


class ProtocolError(Exception):
    pass


class AlreadyServed(Exception):
    """Another process with the same socket has said hello."""

    def __init__(self, pid):
        super().__init__(f"process {pid} serves this worker already, and this one ({os.getpid()}) has its socket too: both come from a fork before "
                         "serve(). Call serve() in one process; for more of them: processes in the task's table, or serve(concurrency=N)")


class Link:
    def __init__(self, descriptor):
        self.socket = socket.socket(fileno=descriptor)
        self._take_socket()
        self.socket.set_inheritable(False)
        self.socket.setblocking(True)
        self.runs = {}  # by id, until they are answered
        self.waiting = collections.deque()  # those that have not begun
        self.ended = False
        self.run = None  # one at a time: the one that is executed just now
        self.missed = False  # something may have come that no signal will tell of again
        self._main = threading.get_ident()
        self._lock = threading.Lock()
        self._rest = []  # pieces of a line that is not complete
        self._interrupts = False
        self._reading = self._saying = False
        self.pid = os.getpid()
        os.register_at_fork(after_in_child=self._abandon)

    def _take_socket(self):
        """One process is spoken to: the first that serves. The lock is that process's alone, and no forked child's."""
        try:
            fcntl.lockf(self.socket, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            form = "hhqqi4x"  # struct flock of 64-bit Linux
            held = fcntl.fcntl(self.socket, fcntl.F_GETLK, struct.pack(form, fcntl.F_WRLCK, 0, 0, 0, 0))
            raise AlreadyServed(struct.unpack(form, held)[4]) from None
        except OSError:
            pass  # no such kernel

    @property
    def forked(self):
        """Whether this is a forked child of the process that the worker speaks to."""
        return os.getpid() != self.pid

    def _abandon(self):
        """In a forked child: the conversation is its parent's. Nothing is read or said here."""
        self._interrupts = False
        self.ended = True
        self.run = None
        self.runs.clear()
        self.waiting.clear()
        self.socket.close()

    # --- in

    def read(self, flags=0):
        """Takes what is there. False at the end of the socket."""
        try:
            data = self.socket.recv(_PIECE, flags)
        except ConnectionError:
            data = b""
        if not data:
            self.ended = True
            return False
        if self._rest or data[-1] != 10:
            end = data.rfind(b"\n") + 1
            self._rest.append(data[:end] if end else data)
            if not end:
                return True
            rest = data[end:]
            data = b"".join(self._rest)
            self._rest = [rest] if rest else []
        for line in data.decode().split("\n"):
            if line:
                self._take(line)
        return True

    def _take(self, line):
        try:
            message = decode(line)[0]
            kind = message["type"]
        except (ValueError, RecursionError, LookupError, TypeError) as error:
            return self._unreadable(line, error)
        if kind == "run":
            run = Run(message, self)
            self.runs[run.id] = run
            self.waiting.append(run)
        elif kind == "cancel":
            run = self.runs.get(message.get("id"))
            if run is not None:
                _children.look(run)
                run.on_cancel(message.get("reason") or "canceled")

    def _unreadable(self, line, error):
        """JSON that Postgres takes and Python does not: nested too deeply, a number of more than 4,300 digits."""
        head = re.match(r'\{"type":"run","id":"([^"]*)","task":"([^"]*)"', line)
        if head is None:
            raise ProtocolError(f"the worker sent an invalid message of protocol 1: {line[:200]!r}; install a dormouse and a client of "
                                "the same version")
        run = Run({"id": head[1], "task": head[2]}, self)
        self.answer(failed(run, BadPayload(f"payload: Python cannot read it: {error}")))

    # --- out

    def answer(self, data):
        if self.forked:
            return
        try:
            with self._lock:
                self.socket.sendall(data)
        except OSError:
            pass  # nobody is there any more; the end of the socket says so, too

    def say(self, data):
        """What a run says on the way. A line is never torn by a cancellation."""
        main = threading.get_ident() == self._main
        if main:
            self._saying = True
        self.answer(data)
        if main:
            self._saying = False
            self._interrupt()

    # --- cancellation of what is executed by the main thread

    def interrupt_by_signal(self):
        """From now on the main thread is sent SIGURG when something comes while it executes a function: one that computes is
        interrupted between two instructions, one that waits in a system call at once. While it waits in read() there is none."""
        try:
            signal.signal(signal.SIGURG, self._on_signal)
            fcntl.fcntl(self.socket, _F_SETOWN_EX, struct.pack("ii", _F_OWNER_TID, threading.get_native_id()))
            fcntl.fcntl(self.socket, fcntl.F_SETSIG, signal.SIGURG)
            fcntl.fcntl(self.socket, fcntl.F_SETFL, fcntl.fcntl(self.socket, fcntl.F_GETFL) | fcntl.FASYNC)
        except (ValueError, OSError):
            pass  # no main thread, no such kernel: cancellations are seen by run.cancelled and run.progress()
        self._interrupts = True

    def look(self):
        """Reads what has come meanwhile, if it is on the caller to do so."""
        if not self._interrupts or self._reading or threading.get_ident() != self._main:
            return
        self._reading = True
        try:
            while self.read(socket.MSG_DONTWAIT):
                pass
        except BlockingIOError:
            pass
        finally:
            self._reading = False

    def begin(self, run):
        self.run = run
        if self.missed:
            self.missed = False
            self.look()
            self._interrupt()

    def _on_signal(self, *_):
        if self.run is None or self._reading:
            self.missed = True
            return
        self.look()
        self._interrupt()

    def _interrupt(self):
        run = self.run
        if self._interrupts and run is not None and not self._saying and run.is_to_be_told():
            raise run.cancelled_as()
