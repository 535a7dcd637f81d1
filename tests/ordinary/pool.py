"""A pool for tests that watch it from outside: a database, directories and a doorbell of its own, and workers that start as they do under
systemd: by a ring or by the due file of the one before. Used by tests/ordinary and tests/hostile; judges nothing."""
import os
import re
import select
import shutil
import signal
import socket
import subprocess
import threading
import time

import psycopg2

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE = os.path.dirname(os.path.dirname(HERE))
# Sleeps as long as the payload says. Its process id stands in MARKS/ID.pid; the attempt in MARKS/ID, once it has come to its own end.
NAP = """#!/bin/bash
read -r payload
echo $$ >"{marks}/$DORMOUSE_RUN_ID.pid"
sleep "${{payload//[^0-9.]/}}"  # the work itself
echo "$DORMOUSE_ATTEMPT" >>"{marks}/$DORMOUSE_RUN_ID"
"""
# Gives the doorbell as descriptor 3, as systemd does.
ACTIVATE = """bell=$1; shift
exec 3<&"$bell"
[ "$bell" = 3 ] || eval "exec $bell<&-"
LISTEN_PID=$$ LISTEN_FDS=1 exec "$@"
"""


def url(database):
    return f"postgresql:///{database}?host={os.environ['PGHOST']}&user={os.environ['PGUSER']}"


def connect(database):
    session = psycopg2.connect(url(database))
    session.autocommit = True
    return session


def administer(statement):
    session = connect("template1")
    with session.cursor() as cursor:
        cursor.execute(statement)
    session.close()


class Pool:
    """`settings` are tables of the pool's file: {"worker": {"concurrency": 2}}, values in TOML; `tasks` the lines of each task besides its
    handler. Without a `bell` its workers are in the foreground. `wrap` goes in front of the worker's command."""

    def __init__(self, name, base, settings=None, tasks=None, bell=True, workers=1, arguments=(), handler=None):
        self.name, self.workers_wanted, self.arguments, self.with_bell = name, workers, list(arguments), bell
        self.settings = {"worker": {}, **(settings or {})}
        self.concurrency = int(self.settings["worker"].setdefault("concurrency", 4))
        self.tasks = tasks if tasks is not None else {"nap": ""}
        self.directory = os.path.join(base, name)
        self.marks = os.path.join(self.directory, "marks")
        self.log = os.path.join(self.directory, "log")
        self.spool = os.path.join(self.directory, "spool", name)
        for directory in (self.marks, self.spool, os.path.join(self.directory, "run", name), os.path.join(self.directory, "wake")):
            os.makedirs(directory)
        self.handler = handler or self._nap()
        self.database = "pool_" + name
        administer(f"CREATE DATABASE {self.database} TEMPLATE postgres")  # as run.sh has migrated it: no worker has ever been there
        self._session = connect(self.database)
        self._lock = threading.Lock()  # the plan and the watch share the session
        self.bell = socket.socket(socket.AF_UNIX)
        self.bell.bind(os.path.join(self.directory, "run", name + ".sock"))
        self.bell.listen(4096)
        self.bell.setblocking(False)
        self.workers, self.ended, self.due = [], [], 0.0 if not bell else None
        self.started, self.stopped, self._supervision = 0, False, threading.Lock()
        self.write_file()

    def _nap(self):
        path = os.path.join(self.directory, "nap")
        with open(path, "w", encoding="utf-8") as file:
            file.write(NAP.format(marks=self.marks))
        os.chmod(path, 0o755)
        return f'command = ["{path}"]'

    def write_file(self):
        tables = {**self.settings, "database": {"url": f'"{url(self.database)}"', **self.settings.get("database", {})},
                  "paths": {f"{kind}_directory": f'"{self.directory}/{place}"' for kind, place in
                            (("runtime", "run"), ("spool", "spool"), ("wake", "wake"))}}
        tables["worker"] = {"queues": f'["{self.name}"]', **self.settings["worker"]}
        text = "".join(f"[{table}]\n" + "".join(f"{key} = {value}\n" for key, value in keys.items()) for table, keys in tables.items())
        text += "".join(f'[task."{task}"]\n{self.handler if "command" not in lines else ""}\n{lines}\n' for task, lines in self.tasks.items())
        with open(os.path.join(self.directory, self.name + ".toml"), "w", encoding="utf-8") as file:
            file.write(text)

    # --- the database ------------------------------------------------------------------------------------------------
    def ask(self, statement, *values):
        """The rows, or an empty list. Made anew where the session is gone."""
        with self._lock:
            if self._session.closed:
                self._session = connect(self.database)
            with self._session.cursor() as cursor:
                cursor.execute(statement, values or None)
                return cursor.fetchall() if cursor.description else []

    def enqueue(self, seconds, task="nap", **options):
        """The run's id. It rings."""
        named = "".join(f", {name} => %s" for name in options)
        run = self.ask(f"SELECT dormouse.enqueue(%s, to_jsonb(%s::text), queue => %s{named})::text", task, str(seconds), self.name,
                       *options.values())[0][0]
        self.ring()
        return run

    def ring(self):
        with socket.socket(socket.AF_UNIX) as ringer:
            ringer.connect(self.bell.getsockname())

    # --- workers, as systemd has them -----------------------------------------------------------------------------------
    def supervise(self):
        """Starts the workers that are wanted and not there: at a ring, or when something is due. Call it now and then."""
        with self._supervision:
            if not self.stopped:
                self._supervise()

    def _supervise(self):
        for worker in [worker for worker in self.workers if worker.poll() is not None]:
            self.workers.remove(worker)
            self.ended.append(worker.returncode)
            self.due = self._due_at() if self.with_bell else time.monotonic()
        due = self.due is not None and time.monotonic() >= self.due
        if len(self.workers) < self.workers_wanted and (due or self.with_bell and select.select([self.bell], [], [], 0)[0]):
            self.due = None if self.with_bell else 0.0
            self.workers.append(self.start())
            self.started += 1

    def _due_at(self):
        try:
            with open(os.path.join(self.directory, "run", self.name, "due"), encoding="ascii") as file:
                due = file.read().strip()
        except OSError:
            return time.monotonic()  # nobody knows
        return None if due == "none" else time.monotonic() + int(due) / 1000

    def start(self):
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "DORMOUSE_", "DATABASE_URL", "LD_"))}
        command = [os.environ["DORMOUSE"], "worker", self.name, "--config", os.path.join(self.directory, self.name + ".toml"), *self.arguments]
        bell = os.dup(self.bell.fileno())
        if self.with_bell:
            environment["DORMOUSE_PATHS_RUNTIME_DIRECTORY"] = os.path.join(self.directory, "run")
            environment["RUNTIME_DIRECTORY"] = os.path.join(self.directory, "run", self.name)  # a service: it writes a due file, and may promise
            command = ["/bin/bash", "-c", ACTIVATE, "bash", str(bell), *command]
        try:
            with open(self.log, "ab") as log:
                return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment,
                                        pass_fds=[bell] if self.with_bell else [])
        finally:
            os.close(bell)

    def terminate(self, seconds):
        """SIGTERM to all that are there; those that did not hear it are killed. How many that were. None is started before go_on()."""
        with self._supervision:
            self.stopped = True
        for worker in self.workers:
            worker.send_signal(signal.SIGTERM)
        end, deaf = time.monotonic() + seconds, 0
        for worker in self.workers:
            try:
                worker.wait(max(0, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                deaf += 1
                worker.kill()
                worker.wait()
        return deaf

    def go_on(self):
        self.stopped = False

    def log_text(self):
        try:
            with open(self.log, encoding="utf-8", errors="replace") as file:
                return file.read()
        except OSError:
            return ""

    def mistakes(self):
        """What only a mistake in the program makes a worker say."""
        return re.findall(r" (?:empty_wish|loop_turns): .*", self.log_text())

    def close(self):
        self._session.close()
        self.bell.close()
        administer(f"DROP DATABASE {self.database} WITH (FORCE)")
        shutil.rmtree(self.directory, ignore_errors=True)


def computing_seconds(process):
    """How long its main thread has been on a core until now, and how long besides it has waited for one; 0 for one that is gone."""
    try:
        with open(f"/proc/{process.pid}/schedstat", encoding="ascii") as file:
            used, waited = (int(word) / 1e9 for word in file.read().split()[:2])
    except (OSError, ValueError):
        return 0.0, 0.0
    return used, waited
