"""What a run costs: CPU of the program and of all of Postgres, WAL, time."""
import json
import os
import pathlib
import select
import subprocess
import threading
import time

DATA = pathlib.Path(os.environ["PGHOST"])
TICKS = os.sysconf("SC_CLK_TCK")


def sql(text):
    return subprocess.run(["psql", "--no-psqlrc", "--quiet", "--no-align", "--tuples-only", "--set=ON_ERROR_STOP=1"], input=text,
                          check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


def command_of(command):
    return subprocess.run([str(word) for word in command], check=True, stdout=subprocess.PIPE, text=True).stdout


def times(pid):
    """Ticks of a process: its own, and those of children that have ended."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return [int(fields[place]) for place in (11, 12, 13, 14)]


def postgres_cpu():
    """Seconds of all processes of the server, backends that have ended included."""
    postmaster = int((DATA / "postmaster.pid").read_text().split()[0])
    ticks = sum(times(postmaster))
    for child in pathlib.Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split():
        try:
            ticks += sum(times(child))
        except FileNotFoundError:
            pass  # ended just now
    return ticks / TICKS


def machine_cpu():
    """Seconds that all cores were at work, or taken away by the host."""
    fields = [int(field) for field in pathlib.Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    return (sum(fields) - fields[3] - fields[4]) / TICKS


def measured(command):
    """Runs it; its lines of JSON, and what it cost. `others`: cores at work for somebody else meanwhile."""
    place = sql("SELECT pg_current_wal_insert_lsn()")
    cpu, machine, began = postgres_cpu(), machine_cpu(), time.monotonic()
    child = subprocess.Popen([str(word) for word in command], stdout=subprocess.PIPE, text=True)
    text = child.stdout.read()
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        raise SystemExit(f"bench: {command[0]} ended with {child.returncode}")
    wall = time.monotonic() - began
    own, cpu = usage.ru_utime + usage.ru_stime, postgres_cpu() - cpu
    others = (machine_cpu() - machine - own - cpu) / wall
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")], {
        "cpu_s": own, "cpu_s_postgres": cpu, "others": max(0, round(others, 2)), "wall_s": round(wall, 3),
        "wal_bytes": int(sql(f"SELECT pg_current_wal_insert_lsn() - '{place}'::pg_lsn"))}


class Stamps:
    """A subject that prints "SENT STARTED" for each run, until its input is closed."""

    def __init__(self, command):
        self.started = {}
        self.changed = threading.Condition()
        self.child = subprocess.Popen([str(word) for word in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.child.stdout:
            sent, at = line.split()
            with self.changed:
                self.started[int(sent)] = int(at)
                self.changed.notify()

    def wait(self, count):
        """Those that have started: all, or as many as did within a minute."""
        with self.changed:
            self.changed.wait_for(lambda: len(self.started) >= count, timeout=60)
            return dict(self.started)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.child.stdin.close()
        try:
            self.child.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()


def first_word_after(command, word):
    """Seconds from the start of a program until it has printed the word; then it is ended."""
    began = time.monotonic()
    child = subprocess.Popen([str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
    text = b""
    while word.encode() not in text:
        if not select.select([child.stdout], [], [], 20)[0] or not (part := os.read(child.stdout.fileno(), 4096)):
            raise SystemExit(f"bench: {command[0]} did not say {word}: {text.decode()}")
        text += part
    took = time.monotonic() - began
    child.terminate()
    child.communicate()
    return took
