"""A Postgres of our own, durable, outside the hosts, that can be killed and comes back; and a psql that notices."""
import os
import pwd
import shutil
import signal
import subprocess
import glob
import select
import socket
import time


class Disconnected(Exception):
    """The session is gone; whether what it sent was committed is not known."""


class Psql:
    """One psql, started anew by whoever needs it again."""

    def __init__(self, cluster, database):
        self.process = subprocess.Popen(
            ["psql", "--no-psqlrc", "--quiet", "--no-align", "--tuples-only", "--set=ON_ERROR_STOP=1",
             f"--dbname=postgresql://postgres@/{database}?host={cluster.sockets}"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, bufsize=1)

    def ask(self, statement):
        """The lines of the answer. Raises Disconnected."""
        lines = []
        try:
            self.process.stdin.write(statement + ";\n\\echo .\n")
            self.process.stdin.flush()
            while (line := self.process.stdout.readline()) != ".\n":
                if not line:
                    raise Disconnected()
                lines.append(line.rstrip("\n"))
        except OSError:
            raise Disconnected() from None
        return lines

    def close(self):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait()


class Cluster:
    def __init__(self, directory):
        self.bin = sorted(glob.glob("/usr/lib/postgresql/*/bin"))[-1]
        self.user = pwd.getpwnam("postgres")
        self.data = os.path.join(directory, "data")
        self.sockets = os.path.join(directory, "sockets")
        self.log = os.path.join(directory, "postgres.log")
        self.process = None
        self.wanted = False
        self.is_ready = False  # as the server itself says, in the way of sd_notify(3)
        self.notes = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        for path in (self.data, self.sockets):
            os.mkdir(path, 0o700 if path == self.data else 0o755)
            shutil.chown(path, "postgres", "postgres")
        notes = os.path.join(self.sockets, "notify")
        self.notes.bind(notes)
        os.chmod(notes, 0o666)
        self.run("initdb", f"--pgdata={self.data}", "--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8")

    def options(self):
        return {"user": self.user.pw_uid, "group": self.user.pw_gid, "extra_groups": [], "cwd": "/"}

    def run(self, program, *arguments):
        subprocess.run([f"{self.bin}/{program}", *arguments], check=True, stdout=subprocess.DEVNULL, **self.options())

    def socket(self):
        return os.path.join(self.sockets, ".s.PGSQL.5432")

    def start(self):
        self.wanted = True
        self.tick()

    def tick(self):
        """Starts the server that is wanted and not there. After a SIGKILL that takes several tries: old backends hold the memory."""
        # authentication_timeout: a server that shuts down waits so long for whoever has connected and says nothing, as half-open networks do,
        # and lets nobody in meanwhile, not even the driver.
        if self.wanted and (self.process is None or self.process.poll() is not None):
            self.hear()  # the last words of the one before
            self.is_ready = False
            with open(self.log, "ab") as log:
                self.process = subprocess.Popen(
                    [f"{self.bin}/postgres", "-D", self.data, "-c", "listen_addresses=", "-c", f"unix_socket_directories={self.sockets}",
                     "-c", "max_connections=50", "-c", "authentication_timeout=2"], stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                    env={**os.environ, "NOTIFY_SOCKET": self.notes.getsockname()}, **self.options())

    def hear(self):
        """What the server has said of itself since the last time."""
        while select.select([self.notes], [], [], 0)[0]:
            for word in self.notes.recv(4096).decode().split("\n"):
                self.is_ready = word == "READY=1" or self.is_ready and word != "STOPPING=1"

    def wait(self, seconds):
        """Until the server says that it is ready; one that ends meanwhile is started again."""
        end = time.monotonic() + seconds
        while True:
            self.tick()
            self.hear()
            if self.is_ready:
                return
            if time.monotonic() > end:
                raise SystemExit(f"Postgres did not come back, see {self.log}")
            if self.process.poll() is None:
                process = os.pidfd_open(self.process.pid)
                select.select([self.notes, process], [], [], max(0, end - time.monotonic()))
                os.close(process)

    def signal(self, number):
        """False: it is not there."""
        there = self.process is not None and self.process.poll() is None
        if there:
            self.process.send_signal(number)
        return there

    def stop(self):
        self.wanted = False
        self.signal(signal.SIGINT)
        if self.process:
            self.process.wait(30)
