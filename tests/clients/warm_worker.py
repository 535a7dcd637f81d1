"""The worker's side of a warm handler, over a real socketpair: starts the process, hears its hello, sends runs, reads answers."""

import fcntl
import json
import os
import socket
import struct
import subprocess
import tempfile
import termios
import time
import uuid

DEADLINE_S = 60  # for something that does not come


class Process:
    def __init__(self, command, **environment):
        self.socket, theirs = socket.socketpair()
        self.socket.settimeout(DEADLINE_S)
        self.output = tempfile.TemporaryFile()
        variables = {**os.environ, **environment, "DORMOUSE_CONTROL_FD": str(theirs.fileno()), "PYTHONDONTWRITEBYTECODE": "1"}
        variables.pop("PYTHONUNBUFFERED", None)  # no worker sets it
        self.process = subprocess.Popen(command, env=variables, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL,
                                        stdout=self.output, stderr=self.output)
        theirs.close()
        self.rest = b""
        self.hello = self.read()

    def write(self, text):
        self.socket.sendall(text.encode())

    def read(self):
        """The next message; None at the end of the socket."""
        while b"\n" not in self.rest:
            piece = self.socket.recv(1 << 20)
            if not piece:
                assert self.rest == b"", self.rest
                return None
            self.rest += piece
        line, _, self.rest = self.rest.partition(b"\n")
        return strict(line)

    def run_line(self, task, payload="null", **more):
        run = {"type": "run", "id": str(uuid.uuid4()), "task": task, "queue": "default", "attempt": 1, "max_attempts": 5,
               "fence": "17:" + str(uuid.uuid4()), **more}
        return run, json.dumps(run, separators=(",", ":"))[:-1] + ',"payload":' + payload + "}\n"

    def give(self, task, payload="null", **more):
        run, line = self.run_line(task, payload, **more)
        self.write(line)
        return run

    def cancel(self, run, reason="canceled"):
        self.write(json.dumps({"type": "cancel", "id": run["id"], "reason": reason}) + "\n")

    def answer(self, run):
        """What the run said, the answer last."""
        said = []
        while not said or said[-1]["type"] not in ("completed", "failed", "retry"):
            message = self.read()
            assert message is not None, "the process ended: " + self.printed()
            assert message["id"] == run["id"], message
            said.append(message)
        return said

    def execute(self, task, payload=None, **more):
        return self.answer(self.give(task, json.dumps(payload), **more))

    def until(self, type_):
        while True:
            message = self.read()
            if message["type"] == type_:
                return message

    def until_answer(self):
        while True:
            message = self.read()
            if message["type"] in ("completed", "failed", "retry"):
                return message

    def until_full(self):
        """Waits until the process is held up by a worker that does not read: more has come than most, and no more comes."""
        end = time.monotonic() + DEADLINE_S
        before = -1
        while True:
            now = struct.unpack("i", fcntl.ioctl(self.socket, termios.FIONREAD, b"\0" * 4))[0]
            if now == before and now > 64_000:
                return
            assert time.monotonic() < end, now
            before = now
            time.sleep(0.05)

    def say_no_more(self):
        self.socket.shutdown(socket.SHUT_WR)

    def ended(self):
        """The exit code, once it has ended by itself."""
        return self.process.wait(DEADLINE_S)

    def printed(self):
        self.output.seek(0)
        return self.output.read().decode()

    def close(self):
        self.socket.close()
        try:
            self.process.wait(DEADLINE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise
        finally:
            self.output.close()


def strict(line):
    """As the worker reads: UTF-8, no NaN, no half of a surrogate pair, no number beyond a double."""

    def refuse(constant):
        raise ValueError(constant)

    def whole(number):
        assert abs(float(number)) <= 1.8e308, number
        return int(number)

    message = json.loads(line.decode("utf-8"), parse_constant=refuse, parse_int=whole)
    json.dumps(message, ensure_ascii=False).encode("utf-8")
    return message
